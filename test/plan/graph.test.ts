import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { findCycles, longestChain } from '../../src/plan/graph.ts'

/** Steps that may need any others, themselves among them. */
const graphs = fc.integer({ min: 0, max: 7 }).chain((size) => {
  const needs = fc.uniqueArray(fc.nat(Math.max(0, size - 1)), { maxLength: 3 })
  return fc.array(needs, { minLength: size, maxLength: size })
})

/** Steps that need only earlier ones, hence none in a cycle, with what each costs. */
const chains = fc.integer({ min: 1, max: 8 }).chain((size) =>
  fc.tuple(
    ...Array.from({ length: size }, (_, place) =>
      fc.record({
        needs: place === 0 ? fc.constant([] as number[]) : fc.uniqueArray(fc.nat(place - 1), { maxLength: 3 }),
        cost: fc.nat(5),
      }),
    ),
  ),
)

describe('cycles', () => {
  test('are found exactly where a step can be reached from itself', () => {
    fc.assert(
      fc.property(graphs, (needs) => {
        const cyclic = needs.some((_, place) => reachable(needs, place).has(place))
        expect(findCycles(needs).length > 0).toBe(cyclic)
      }),
    )
  })

  test('are told as ways on which each step needs the next and the last the first', () => {
    fc.assert(
      fc.property(graphs, (needs) => {
        for (const cycle of findCycles(needs)) {
          cycle.forEach((place, i) => expect(needs[place]).toContain(cycle[(i + 1) % cycle.length]))
          expect(new Set(cycle).size).toBe(cycle.length)
        }
      }),
    )
  })

  test('are told once each', () => {
    expect(findCycles([[1], [2], [0]])).toEqual([[0, 1, 2]])
    expect(findCycles([[0], [2], [1], []])).toEqual([[0], [1, 2]])
    expect(findCycles([[1, 2], [3], [3], []])).toEqual([])
    fc.assert(
      fc.property(graphs, (needs) => {
        const cycles = findCycles(needs)
        // Each is closed by a need of its own.
        expect(new Set(cycles.map((cycle) => `${cycle.at(-1)} needs ${cycle[0]}`)).size).toBe(cycles.length)
      }),
    )
  })
})

describe('the longest chain', () => {
  test('costs what a search of all ways finds', () => {
    fc.assert(
      fc.property(chains, (steps) => {
        const costOf = (place: number): number => {
          const { needs, cost } = steps[place] as (typeof steps)[number]
          return cost + Math.max(0, ...needs.map(costOf))
        }
        expect(longestChain(steps).cost).toBe(Math.max(...steps.map((_, place) => costOf(place))))
      }),
    )
  })

  test('is told as the steps that cost something, in the order in which they run', () => {
    fc.assert(
      fc.property(chains, (steps) => {
        const { cost, way } = longestChain(steps)
        expect(way.reduce((sum, place) => sum + (steps[place]?.cost ?? NaN), 0)).toBe(cost)
        way.slice(1).forEach((place, i) => {
          expect(
            reachable(
              steps.map(({ needs }) => needs),
              place,
            ),
          ).toContain(way[i])
        })
      }),
    )
    const chain = [
      { needs: [], cost: 5 },
      { needs: [0], cost: 0 },
      { needs: [1], cost: 2 },
      { needs: [], cost: 6 },
    ]
    expect(longestChain(chain)).toEqual({ cost: 7, way: [0, 2] })
  })

  test('is none of no steps, and ends also where there is a cycle', () => {
    expect(longestChain([])).toEqual({ cost: 0, way: [] })
    const round = [
      { needs: [1], cost: 1 },
      { needs: [0], cost: 1 },
    ]
    expect(longestChain(round).cost).toBeGreaterThan(0)
  })
})

function reachable(needs: readonly (readonly number[])[], from: number): Set<number> {
  const found = new Set<number>()
  const visit = (place: number): void => {
    for (const other of needs[place] ?? []) {
      if (found.has(other)) continue
      found.add(other)
      visit(other)
    }
  }
  visit(from)
  return found
}
