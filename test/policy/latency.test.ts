import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Latencies } from '../../src/policy/latency.ts'

const tookMs = fc.double({ min: 0.1, max: 100_000, noNaN: true })

test('a percentile is that of the calls known, at most a bucket of 9 % above', () => {
  fc.assert(
    fc.property(
      fc.array(tookMs, { minLength: 50, maxLength: 300 }),
      fc.constantFrom(0.5, 0.9, 0.95, 0.99),
      (all, q) => {
        const latencies = new Latencies()
        for (const ms of all) latencies.add(1_000, ms)
        const exact = all.toSorted((a, b) => a - b)[Math.ceil(all.length * q) - 1] as number
        const said = latencies.at(1_000, q) as number
        expect(said).toBeGreaterThanOrEqual(exact * 0.999_999)
        expect(said).toBeLessThanOrEqual(exact * 2 ** (1 / 8) * 1.000_001)
      },
    ),
  )
})

test('of fewer than 50 calls the tail is not told', () => {
  const latencies = new Latencies()
  for (let i = 0; i < 49; i++) latencies.add(0, 10)
  expect(latencies.at(0, 0.95)).toBeNull()
  latencies.add(0, 10)
  expect(latencies.at(0, 0.95)).not.toBeNull()
})

test('what is older than 20 s is forgotten, what is younger than 10 s is not', () => {
  const fill = (): Latencies => {
    const latencies = new Latencies()
    latencies.add(0, 1)
    for (let i = 0; i < 100; i++) latencies.add(9_000, 100)
    return latencies
  }
  expect(fill().at(18_999, 0.5)).toBeGreaterThanOrEqual(100)
  expect(fill().at(20_000, 0.5)).toBeNull()
  expect(fill().at(1e6, 0.5)).toBeNull()
  const both = fill()
  for (let i = 0; i < 100; i++) both.add(15_000, 1)
  expect([both.at(15_000, 0.25), both.at(15_000, 0.75)].map((ms) => Math.round(ms as number))).toEqual([1, 102])
  // The hundred of 15 s are what is left of all that is older than 10 s.
  expect(Math.round(both.at(31_000, 0.95) as number)).toBe(1)
})

test('what lies outside the buckets counts as their ends', () => {
  const latencies = new Latencies()
  for (let i = 0; i < 50; i++) latencies.add(0, 0)
  expect(latencies.at(0, 1)).toBeCloseTo(0.1)
  for (let i = 0; i < 50; i++) latencies.add(0, 1e9)
  expect(latencies.at(0, 1)).toBeGreaterThanOrEqual(100_000)
})
