import fc from 'fast-check'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { FailureName } from '../../src/call/failure.ts'
import { Scope } from '../../src/call/scope.ts'
import { Wheel } from '../../src/call/wheel.ts'

const faked = ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'] as const

beforeEach(() => void vi.useFakeTimers({ toFake: [...faked] }))
afterEach(() => void vi.useRealTimers())

const timeout: FailureName = 'http_response_timeout'

test('a scope ends at its deadline and tells each watcher why, once', () => {
  const wheel = new Wheel()
  const scope = new Scope(wheel, wheel.now() + 100)
  const told: string[] = []
  scope.watch((why) => told.push(`a: ${why}`))
  scope.watch((why) => told.push(`b: ${why}`))
  vi.advanceTimersByTime(99)
  expect({ ended: scope.ended, told, size: scope.size }).toEqual({ ended: null, told: [], size: 2 })
  vi.advanceTimersByTime(10)
  expect({ ended: scope.ended, size: scope.size }).toEqual({ ended: timeout, size: 0 })
  scope.close('cancelled')
  expect(told.toSorted()).toEqual([`a: ${timeout}`, `b: ${timeout}`])
  expect(wheel.size).toBe(0)
})

test('a scope that is closed ends at once; the first reason stands and the alarm is gone', () => {
  const wheel = new Wheel()
  const scope = new Scope(wheel, wheel.now() + 100)
  scope.close()
  scope.close(timeout)
  vi.advanceTimersByTime(1_000)
  expect([scope.ended, wheel.size, scope.leftMs()]).toEqual(['cancelled', 0, 0])
})

test('who watches a scope that has ended is told at once', () => {
  const scope = new Scope(new Wheel(), Infinity)
  scope.close('overloaded')
  const told: string[] = []
  scope.watch((why) => told.push(why))
  expect([told, scope.size]).toEqual([['overloaded'], 0])
})

test('who was taken off is not told, even if another watcher takes it off while the scope ends', () => {
  const scope = new Scope(new Wheel(), Infinity)
  const told: string[] = []
  const first = (): void => {
    told.push('first')
    scope.unwatch(last)
  }
  const last = (): void => {
    told.push('last')
    scope.unwatch(first)
  }
  scope.watch(first)
  scope.watch(last)
  scope.close()
  expect(told.length).toBe(1)
})

test('a scope within another ends with it, and not the other way round', () => {
  const wheel = new Wheel()
  const outer = new Scope(wheel, Infinity)
  const [one, other] = [outer.within(100), outer.within(200)]
  one.close()
  expect([one.ended, other.ended, outer.ended, outer.size]).toEqual(['cancelled', null, null, 1])
  outer.close('overloaded')
  expect([other.ended, outer.size, wheel.size]).toEqual(['overloaded', 0, 0])
})

test('a scope within another ends no later than that one', () => {
  const wheel = new Wheel()
  const outer = new Scope(wheel, wheel.now() + 50)
  const inner = outer.within(1_000)
  expect(inner.leftMs()).toBe(50)
  // One alarm does for both.
  expect(wheel.size).toBe(1)
  vi.advanceTimersByTime(60)
  expect([inner.ended, outer.ended]).toEqual([timeout, timeout])
})

test('a scope that is made within one that has ended has ended', () => {
  const wheel = new Wheel()
  const outer = new Scope(wheel, Infinity)
  outer.close('cancelled')
  const inner = outer.within(100)
  expect([inner.ended, outer.size, wheel.size]).toEqual(['cancelled', 0, 0])
})

test('a deadline that is lifted, with those around it, ends nothing any more; closing still does', () => {
  const wheel = new Wheel()
  const outer = new Scope(wheel, wheel.now() + 100)
  const inner = outer.within(50)
  inner.lift()
  expect([inner.leftMs(), outer.leftMs(), wheel.size]).toEqual([Infinity, Infinity, 0])
  vi.advanceTimersByTime(1_000)
  expect([inner.ended, outer.ended]).toEqual([null, null])
  outer.close()
  expect([inner.ended, outer.ended]).toEqual(['cancelled', 'cancelled'])
})

type Tree = { scope: Scope; parent: number | null; deadline: number; closed: FailureName | null; told: FailureName[] }
type Deed = (trees: Tree[], wheel: Wheel) => void

const place = fc.nat(1_000)
const deed = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.tuple(place, fc.integer({ min: 0, max: 500 })).map(([at, ms]): Deed => (trees, wheel) => {
      const parent = at % trees.length
      const around = trees[parent] as Tree
      const scope = around.scope.within(ms)
      const told: FailureName[] = []
      scope.watch((why) => told.push(why))
      trees.push({ scope, parent, deadline: Math.min(wheel.now() + ms, around.deadline), closed: around.closed, told })
    }),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(place, fc.constantFrom<FailureName>('cancelled', 'overloaded'))
      .map(([at, why]): Deed => (trees) => {
        const tree = trees[at % trees.length] as Tree
        tree.scope.close(why)
        tree.closed ??= why
      }),
  },
  {
    weight: 2,
    arbitrary: fc.integer({ min: 0, max: 200 }).map(
      (ms): Deed =>
        () =>
          void vi.advanceTimersByTime(ms),
    ),
  },
)

test('in any tree of scopes each ends with the first of its own end, its deadline and the end of what is around it', () => {
  fc.assert(
    fc.property(fc.array(deed, { maxLength: 40 }), (deeds) => {
      vi.clearAllTimers()
      const wheel = new Wheel()
      const trees: Tree[] = [
        { scope: new Scope(wheel, Infinity), parent: null, deadline: Infinity, closed: null, told: [] },
      ]
      for (const one of deeds) {
        one(trees, wheel)
        for (const { scope, parent, deadline, closed, told } of trees) {
          const around = parent === null ? null : (trees[parent] as Tree).scope.ended
          const mustHaveEnded = closed !== null || around !== null || wheel.now() > deadline + 5
          const mayHaveEnded = mustHaveEnded || wheel.now() >= deadline
          expect(mustHaveEnded && scope.ended === null).toBe(false)
          expect(!mayHaveEnded && scope.ended !== null).toBe(false)
          expect(told).toEqual(parent === null || scope.ended === null ? [] : [scope.ended])
        }
      }
      trees[0]?.scope.close()
      expect(trees.map(({ scope }) => [scope.ended === null, scope.size])).toEqual(trees.map(() => [false, 0]))
      expect(wheel.size).toBe(0)
    }),
    { numRuns: 500 },
  )
})

test('a scope is hurried when what is around it has little left of what was given, or is impatient', () => {
  let now = 0
  const wheel = new Wheel(() => now)
  const hurried = (scope: Scope, ms: number): boolean => scope.within(ms).hurried
  const around = new Scope(wheel, 1_000)
  // The whole budget is a fair chance, however much more was asked for.
  expect([hurried(around, 500), hurried(around, 2_000), hurried(around, 60_000)]).toEqual([false, false, false])
  now = 700
  expect([hurried(around, 100), hurried(around, 60_000)]).toEqual([false, false])
  now = 800
  // Its own time is enough for what asks for little.
  expect([hurried(around, 100), hurried(around, 700), hurried(around, 60_000)]).toEqual([false, false, true])
  expect(hurried(around.within(Infinity), 60_000)).toBe(true)
  const impatient = new Scope(wheel, now + 1_000, null, true)
  expect([hurried(impatient, 500), hurried(impatient, 2_000)]).toEqual([false, true])
  expect(hurried(impatient.within(5_000), 2_000)).toBe(true)
  expect(hurried(new Scope(wheel, Infinity), Infinity)).toBe(false)
})
