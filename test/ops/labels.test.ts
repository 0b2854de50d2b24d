import { describe, expect, it } from 'vitest'
import { labelsOf, mostOf } from '../../src/ops/profile.ts'

const accounts = [
  ['profile', 'transform'],
  ['profile', 'countries', 'parse'],
]

describe('labelsOf', () => {
  it('gives each sample the account that was on at its moment', () => {
    const slices = { micros: [100, 200, 300], places: [0, 1, 0], accounts }
    expect(labelsOf({ startTime: 50, timeDeltas: [10, 60, 50, 50, 100, 1_000] }, slices)).toEqual([0, 1, 1, 2, 1, 1])
  })

  it('knows the moments of a profile again of which V8 tells the lower 32 bits only', () => {
    const slices = { micros: [2 ** 33 + 100, 2 ** 33 + 200], places: [1, 0], accounts }
    expect(labelsOf({ startTime: 90, timeDeltas: [0, 20, 100] }, slices)).toEqual([0, 2, 1])
  })

  it('names nothing when nothing was taken down', () => {
    expect(labelsOf({ startTime: 0, timeDeltas: [1, 2] }, { micros: [], places: [], accounts: [] })).toEqual([0, 0])
  })
})

describe('mostOf', () => {
  const node = (id: number, functionName: string, url = 'file:///hooks/profile.ts') => ({
    id,
    callFrame: { functionName, url },
  })

  it('names the function of a file in which most samples fell', () => {
    const nodes = [node(1, '(program)', ''), node(2, 'shape'), node(3, 'respond')]
    expect(mostOf({ nodes, samples: [1, 1, 2, 2, 2, 3] })).toBe('shape')
  })

  it('names none when the loop did next to nothing of ours', () => {
    expect(mostOf({ nodes: [node(1, '(idle)', ''), node(2, 'shape')], samples: [1, 1, 1, 1, 1, 1, 2] })).toBeNull()
  })
})
