import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Budget } from '../../src/policy/budget.ts'

interface Event {
  readonly afterMs: number
  /** How many first attempts, or of further ones, come at that moment. */
  readonly calls?: number
  readonly takes?: number
  readonly percent?: number
}

const afterMs = fc.oneof(fc.constant(0), fc.nat(300), fc.nat(1_500), fc.nat(25_000), fc.constantFrom(1_000, 9_000))
const event = fc.oneof(
  fc.record({ afterMs, calls: fc.nat(40) }),
  fc.record({ afterMs, takes: fc.nat(20), percent: fc.nat(100) }),
)
const events = fc.array<Event>(event, { maxLength: 60 })
const start = fc.nat(5_000)

/** All that has happened, by the second of the clock in which it did. */
type History = { readonly second: number; readonly what: 'call' | 'taken' | 'refused'; readonly percent: number }[]

/** How many there were of a kind in the ten seconds that end with the given one. */
function countOf(history: History, what: 'call' | 'taken', last: number): number {
  return history.filter((one) => one.what === what && one.second > last - 10 && one.second <= last).length
}

/** Plays the events; `onTake` is told of each that asks, before it is written down. */
function play(from: number, played: readonly Event[], onTake?: (history: History, taken: boolean) => void): History {
  const budget = new Budget()
  const history: History = []
  let now = from
  for (const { afterMs: gapMs, calls = 0, takes = 0, percent = 0 } of played) {
    now += gapMs
    const second = Math.floor(now / 1_000)
    for (let i = 0; i < calls; i++) {
      budget.call(now)
      history.push({ second, what: 'call', percent })
    }
    for (let i = 0; i < takes; i++) {
      const taken = budget.take(now, percent / 100)
      history.push({ second, what: taken ? 'taken' : 'refused', percent })
      onTake?.(history, taken)
    }
  }
  return history
}

test('one is taken as long as no more than 3, or than the share of the calls of ten seconds, have been', () => {
  fc.assert(
    fc.property(start, events, (from, played) => {
      play(from, played, (history, taken) => {
        const { second, percent } = history[history.length - 1] as History[number]
        const would = countOf(history, 'taken', second) + (taken ? 0 : 1)
        // In whole numbers: a share of 29 % of 100 calls is 29, not 28.
        const may = would <= 3 || would * 100 <= percent * countOf(history, 'call', second)
        expect(taken).toBe(may)
      })
    }),
    { numRuns: 500 },
  )
})

test('in any ten seconds no more are taken than 3, or than the share of the calls up to the last one taken', () => {
  fc.assert(
    fc.property(start, fc.nat(100), events, (from, percent, played) => {
      const history = play(
        from,
        played.map((one) => ({ ...one, percent })),
      )
      const taken = history.filter(({ what }) => what === 'taken')
      for (const { second } of taken) {
        for (let last = second; last < second + 10; last++) {
          const lastTaken = taken.findLast((one) => one.second <= last)?.second ?? second
          const bound = Math.max(300, percent * countOf(history, 'call', lastTaken))
          expect(countOf(history, 'taken', last) * 100).toBeLessThanOrEqual(bound)
        }
      }
    }),
    { numRuns: 300 },
  )
})

/** Asks until it is refused. */
function takeAll(budget: Budget, now: number, share: number): number {
  let taken = 0
  while (budget.take(now, share)) taken++
  return taken
}

test('an upstream with few calls has 3 in ten seconds, whatever the share', () => {
  const budget = new Budget()
  expect(takeAll(budget, 500, 0)).toBe(3)
  expect(takeAll(budget, 9_999, 0)).toBe(0)
  budget.call(9_999)
  expect(takeAll(budget, 9_999, 1)).toBe(0)
  expect(takeAll(budget, 10_000, 0)).toBe(3)
})

test.each([
  [1_000, 0.2, 200],
  [100, 0.29, 29],
  [16, 0.2, 3],
  [20, 0.2, 4],
  [24, 0.2, 4],
  [10, 1, 10],
])('of %i calls a share of %d allows %i further attempts', (calls, share, expected) => {
  const budget = new Budget()
  for (let i = 0; i < calls; i++) budget.call(i)
  expect(takeAll(budget, calls, share)).toBe(expected)
})

test('each asks by its own share, and all count together', () => {
  const budget = new Budget()
  for (let i = 0; i < 100; i++) budget.call(0)
  expect(takeAll(budget, 0, 0.1)).toBe(10)
  expect(takeAll(budget, 0, 0.3)).toBe(20)
  expect(takeAll(budget, 0, 0.2)).toBe(0)
})

test('calls count for ten seconds of the clock, and the first second is forgotten whole', () => {
  const budget = new Budget()
  for (let i = 0; i < 50; i++) budget.call(i < 25 ? 0 : 999)
  for (let i = 0; i < 50; i++) budget.call(1_000)
  expect(takeAll(budget, 9_999, 0.2)).toBe(20)
  // Of the calls 50 are left, the 20 are all still there.
  expect(takeAll(budget, 10_000, 0.2)).toBe(0)
  expect(takeAll(budget, 10_000, 0.5)).toBe(5)
  expect(takeAll(budget, 18_999, 0)).toBe(0)
  // The 20 of second 9 are gone, the 5 of second 10 are not.
  for (let i = 0; i < 40; i++) budget.call(19_000)
  expect(takeAll(budget, 19_000, 0.2)).toBe(3)
})

test('an upstream that fails all at 1000 calls a second is sent a fifth more, from its first second on', () => {
  const budget = new Budget()
  let calls = 0
  let taken = 0
  for (let now = 0; now < 60_000; now++) {
    budget.call(now)
    calls++
    // Each asks as often as it may.
    taken += takeAll(budget, now, 0.2)
    expect(taken).toBeLessThanOrEqual(Math.max(3, calls / 5))
  }
  expect(taken).toBeGreaterThan(calls * 0.19)
})
