import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Window, quantile } from '../../../src/ops/page/quantile.ts'

const bounds = [1, 2, 5, 10]

describe('quantile', () => {
  it('is null when nothing was counted', () => {
    expect(quantile(bounds, [0, 0, 0, 0, 0], 0.5)).toBeNull()
  })

  it('lies within the bucket that the rank falls into, evenly spread', () => {
    expect(quantile(bounds, [0, 10, 0, 0, 0], 0.5)).toBe(1.5)
    expect(quantile(bounds, [5, 0, 5, 0, 0], 0.75)).toBe(3.5)
  })

  it('is the last edge for what lies beyond it', () => {
    expect(quantile(bounds, [0, 0, 0, 0, 7], 0.99)).toBe(10)
  })

  it('is in the bucket where the true quantile is', () => {
    const values = fc.array(fc.double({ min: 0.001, max: 20, noNaN: true }), { minLength: 1, maxLength: 200 })
    fc.assert(
      fc.property(values, fc.double({ min: 0.01, max: 1, noNaN: true }), (all, q) => {
        const counts = [...bounds, Infinity].map(
          (bound, i) => all.filter((value) => value <= bound && value > (bounds[i - 1] ?? 0)).length,
        )
        const exact = all.toSorted((a, b) => a - b)[Math.ceil(q * all.length) - 1] as number
        const place = [...bounds, Infinity].findIndex((bound) => exact <= bound)
        const found = quantile(bounds, counts, q) as number
        expect(found).toBeGreaterThanOrEqual(Math.min(bounds[place - 1] ?? 0, 10))
        expect(found).toBeLessThanOrEqual(bounds[place] ?? 10)
      }),
    )
  })
})

describe('Window', () => {
  it('adds up the last seconds and forgets those before', () => {
    const window = new Window(2)
    window.add([1, 1])
    window.add([2, 0])
    window.add([0, 3])
    expect(window.sums()).toEqual([2, 3])
  })
})
