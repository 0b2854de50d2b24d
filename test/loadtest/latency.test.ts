import { describe, expect, test } from 'vitest'
import { median } from '../../loadtest/bench/stats.ts'
import { logNormal, seeded } from '../../loadtest/upstreams/latency.ts'

const draw = (seed: number, count: number) => {
  const next = logNormal({ medianMs: 20, p99Ms: 200 }, seeded(seed))
  return Array.from({ length: count }, next)
}

describe('waiting times', () => {
  test('have the median and the p99 that were asked for', () => {
    const times = draw(1, 50_000).toSorted((a, b) => a - b)
    expect(median(times)).toBeGreaterThan(19.5)
    expect(median(times)).toBeLessThan(20.5)
    expect(times[49_500]).toBeGreaterThan(185)
    expect(times[49_500]).toBeLessThan(215)
  })

  test('repeat themselves for the same seed, and only for that', () => {
    expect(draw(7, 20)).toEqual(draw(7, 20))
    expect(draw(7, 20)).not.toEqual(draw(8, 20))
  })

  test('are never negative and never endless', () => {
    for (const time of draw(3, 50_000)) expect(time > 0 && Number.isFinite(time)).toBe(true)
  })
})

test('a seeded source spreads evenly over [0, 1)', () => {
  const random = seeded(5)
  const tenths = Array.from({ length: 10 }, () => 0)
  for (let count = 0; count < 20_000; count++) tenths[Math.floor(random() * 10)]!++
  for (const share of tenths) expect(Math.abs(share - 2000)).toBeLessThan(200)
})
