import fc from 'fast-check'
import { expect, test } from 'vitest'
import { timeoutField, timeoutOf } from '../../src/call/deadline.ts'

test('what is left is written so that reading it gives no more than there was, and less by under 1 ms', () => {
  fc.assert(
    fc.property(fc.double({ min: 1, max: 99_999_999, noNaN: true }), (leftMs) => {
      const read = timeoutOf(timeoutField(leftMs)) as number
      expect(read).toBeLessThanOrEqual(leftMs)
      expect(leftMs - read).toBeLessThan(1)
    }),
  )
})

test.each([
  [0, '1m'],
  [0.4, '1m'],
  [250, '250m'],
  [99_999_999, '99999999m'],
  [100_000_000, '100000S'],
  [1e15, '99999999S'],
])('%d ms are written %s', (leftMs, field) => {
  expect(timeoutField(leftMs)).toBe(field)
})

test.each<[string | undefined, number | null]>([
  ['2H', 7_200_000],
  ['2M', 120_000],
  ['2S', 2_000],
  ['2m', 2],
  ['2u', 0.002],
  ['2n', 0.000_002],
  ['0m', 0],
  ['99999999m', 99_999_999],
  ['100000000m', null],
  ['m', null],
  ['2', null],
  ['2 m', null],
  ['-2m', null],
  ['2.5S', null],
  ['2x', null],
  ['', null],
  [undefined, null],
])('%s is read as %s ms', (field, ms) => {
  expect(timeoutOf(field) ?? -1).toBeCloseTo(ms ?? -1, 9)
})
