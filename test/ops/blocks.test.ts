import { describe, expect, it } from 'vitest'
import { blockWatch } from '../../src/ops/blocks.ts'

const whose = { route: 'profile', upstream: '', phase: 'transform' }
const nobody = { blocked: () => {} }

describe('blockWatch', () => {
  it('takes a loop for blocked that has switched to nothing else for too long and was not idle', () => {
    const told: string[] = []
    const watch = blockWatch(200, { blocked: (loop) => told.push(loop) })
    for (const now of [1_000, 1_100, 1_250]) watch.look('data', { idleMs: 5, sinceMs: 1_000, whose }, now)
    expect(told).toEqual(['data'])
    expect(watch.blocks).toEqual([{ at: 1_000, ms: 250, over: false, whose, named: null }])
  })

  it('does not take an idle loop for blocked', () => {
    const watch = blockWatch(200, nobody)
    for (const [i, now] of [1_000, 1_100, 1_250, 1_500].entries()) {
      watch.look('data', { idleMs: i, sinceMs: 1_000, whose }, now)
    }
    expect(watch.blocks).toEqual([])
  })

  it('does not take a busy loop for blocked that goes from one thing to the next', () => {
    const watch = blockWatch(200, nobody)
    for (const now of [1_000, 1_100, 1_250, 1_500]) watch.look('data', { idleMs: 5, sinceMs: now - 1, whose }, now)
    expect(watch.blocks).toEqual([])
  })

  it('tells a block once, and that it is over when something else begins', () => {
    const told: string[] = []
    const watch = blockWatch(200, { blocked: (loop) => told.push(loop) })
    for (const now of [1_000, 1_250, 1_300]) watch.look('data', { idleMs: 5, sinceMs: 1_000, whose }, now)
    watch.look('data', { idleMs: 5, sinceMs: 1_340, whose }, 1_350)
    expect(told).toEqual(['data'])
    expect(watch.blocks).toEqual([{ at: 1_000, ms: 340, over: true, whose, named: null }])
  })

  it('keeps the name that a profile has found with the last block', () => {
    const watch = blockWatch(200, nobody)
    for (const now of [1_000, 1_250]) watch.look('data', { idleMs: 5, sinceMs: 1_000, whose }, now)
    watch.name('shape')
    expect(watch.blocks[0]?.named).toBe('shape')
  })

  it('watches each loop by itself', () => {
    const told: string[] = []
    const watch = blockWatch(200, { blocked: (loop) => told.push(loop) })
    for (const now of [1_000, 1_250]) {
      watch.look('data-1', { idleMs: now, sinceMs: now, whose }, now)
      watch.look('data-2', { idleMs: 5, sinceMs: 1_000, whose }, now)
    }
    expect(told).toEqual(['data-2'])
  })
})
