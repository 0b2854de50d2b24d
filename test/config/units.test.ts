import fc from 'fast-check'
import { expect, test } from 'vitest'

import { duration, flag, share, size, text, whole } from '../../src/config/units.ts'

const durations = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
const sizes = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 }

test('a duration is its amount times its unit', () => {
  const unit = fc.constantFrom(...Object.entries(durations))
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 590 }), unit, (amount, [name, ms]) => {
      expect(duration.parse(`${amount}${name}`)).toBe(amount * ms)
    }),
  )
})

test('a size is its amount times its unit', () => {
  const unit = fc.constantFrom(...Object.entries(sizes))
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1_000_000 }), unit, (amount, [name, bytes]) => {
      expect(size.parse(`${amount}${name}`)).toBe(amount * bytes)
    }),
  )
})

test('what is read can be written in the smallest unit and read again', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 31 - 1 }), (amount) => {
      expect(duration.parse(`${amount}ms`)).toBe(amount)
      expect(size.parse(`${amount}B`)).toBe(amount)
    }),
  )
})

test('any other text is neither a duration, nor a size, nor a share, and none of them throws', () => {
  fc.assert(
    fc.property(
      fc.string().filter((written) => !/^\d/.test(written)),
      (written) => {
        for (const schema of [duration, size, share]) expect(schema.safeParse(written).success).toBe(false)
      },
    ),
  )
})

test('amounts may have a point', () => {
  expect(duration.parse('1.5s')).toBe(1500)
  expect(size.parse('0.5KiB')).toBe(512)
  expect(share.parse('0.1%')).toBeCloseTo(0.001)
  expect(share.parse('20%')).toBe(0.2)
})

test.each(['5', '5 s', '-5s', '5S', '5d', 's', '', '1e3s', '597h', '99999999999999ms'])(
  '%j is no duration',
  (written) => {
    expect(duration.safeParse(written).success).toBe(false)
  },
)

test.each(['5', '5KB', '5kib', '-1B', '1e3B', '999999999999GiB'])('%j is no size', (written) => {
  expect(size.safeParse(written).success).toBe(false)
})

test.each(['101%', '20', '-1%'])('%j is no share', (written) => {
  expect(share.safeParse(written).success).toBe(false)
})

test('numbers and flags are also read from what a variable leaves', () => {
  expect(whole(1, 9).parse('8')).toBe(8)
  expect(whole(1, 9).safeParse('10').success).toBe(false)
  expect(whole(1).safeParse('1.5').success).toBe(false)
  expect(whole(1).safeParse('').success).toBe(false)
  expect(flag.parse('true')).toBe(true)
  expect(flag.safeParse('yes').success).toBe(false)
})

test('text may be written as a number, but for one that YAML would change', () => {
  expect(text.parse(10)).toBe('10')
  expect(text.parse(true)).toBe('true')
  expect(text.safeParse(1.1).success).toBe(false)
})
