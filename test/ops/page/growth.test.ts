import { describe, expect, it } from 'vitest'
import { Growth } from '../../../src/ops/page/growth.ts'
import type { Reading } from '../../../src/telemetry/instruments.ts'

const counter = (name: string, attributes: Record<string, string>, value: number): Reading => ({
  name,
  kind: 'counter',
  unit: '1',
  description: '',
  attributes,
  value,
})
const histogram = (route: string, buckets: readonly number[]): Reading => ({
  ...counter('took', { route }, 0),
  kind: 'histogram',
  bounds: [1, 2],
  buckets,
})

describe('Growth', () => {
  it('tells how much a number has grown since the time before', () => {
    const growth = new Growth()
    growth.take([counter('calls', { upstream: 'a' }, 5), counter('calls', { upstream: 'b' }, 1)])
    growth.take([counter('calls', { upstream: 'a' }, 8), counter('calls', { upstream: 'b' }, 3)])
    expect(growth.grown('calls')).toBe(5)
    expect(growth.grown('calls', { upstream: 'a' })).toBe(3)
    expect(growth.value('calls', { upstream: 'b' })).toBe(3)
  })

  it('has nothing to compare with at first', () => {
    const growth = new Growth()
    growth.take([counter('calls', {}, 5)])
    expect(growth.compares).toBe(false)
    growth.take([counter('calls', {}, 5)])
    expect(growth.compares).toBe(true)
  })

  it('takes what was not there before as grown from nothing, and never shrinks', () => {
    const growth = new Growth()
    growth.take([counter('calls', {}, 9)])
    growth.take([counter('calls', {}, 2), counter('new', {}, 4)])
    expect(growth.grown('calls')).toBe(0)
    expect(growth.grown('new')).toBe(4)
  })

  it('adds up buckets over all histograms that have the attributes', () => {
    const growth = new Growth()
    growth.take([histogram('x', [1, 0, 0])])
    growth.take([histogram('x', [3, 1, 0]), histogram('y', [7, 7, 7])])
    expect(growth.buckets('took', { route: 'x' })).toEqual({ bounds: [1, 2], counts: [2, 1, 0] })
    expect(growth.buckets('took', { route: 'z' })).toBeNull()
  })
})
