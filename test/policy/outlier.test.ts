import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Ejection, Standing, blame, inUse } from '../../src/policy/outlier.ts'

// What behaviour.md has.
const usual: Ejection = { failures: 5, for: 30_000 }

interface One {
  readonly place: number
  readonly standing: Standing
}

/** A set of so many endpoints of which nothing is known. */
function setOf(count: number): One[] {
  return Array.from({ length: count }, (_, place) => ({ place, standing: new Standing() }))
}

/** Lets one fail so often, and tells after which failure it was ejected. */
function failOften(all: readonly One[], place: number, times: number, now = 0): number | null {
  for (let i = 1; i <= times; i++) if (blame(all, all[place] as One, now, usual)) return i
  return null
}

const placesOf = (all: readonly One[]): number[] => all.map(({ place }) => place)

test('whatever happens at most half are ejected, not usable ones are used only in a panic, and some always are', () => {
  const event = fc.record({
    place: fc.nat(6),
    waitMs: fc.constantFrom(0, 1, 10_000, 30_000, 300_000),
    // Failures in plenty, or hardly ever would five come in a row.
    what: fc.constantFrom('fail', 'fail', 'fail', 'succeed', 'well', 'ill'),
    times: fc.integer({ min: 1, max: 6 }),
  })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 7 }), fc.array(event, { maxLength: 100 }), (count, events) => {
      const all = setOf(count)
      let now = 0
      for (const { place, waitMs, what, times } of events) {
        now += waitMs
        for (const { standing } of all) standing.review(now)
        const one = all[place % count] as One
        const wasOut = one.standing.ejected
        const ejected = what === 'fail' && failOften(all, one.place, times, now) !== null
        if (what === 'succeed') one.standing.succeed()
        if (what === 'well' || what === 'ill') one.standing.judge(what === 'well')

        expect(one.standing.ejected).toBe(wasOut || ejected)
        const usable = all.filter(({ standing }) => standing.healthy && !standing.ejected)
        const used = inUse(all)
        expect(used.length).toBeGreaterThan(0)
        expect(all.filter(({ standing }) => standing.ejected).length).toBeLessThanOrEqual(count / 2)
        // An ejection makes no panic.
        expect(ejected && usable.length < count / 2).toBe(false)
        expect(placesOf(used)).toEqual(placesOf(usable.length < count / 2 ? all : usable))
        for (const { standing } of all) {
          const { ejected: out, returnsAt } = standing
          expect(out ? returnsAt > now && returnsAt <= now + 300_000 : returnsAt === Infinity).toBe(true)
        }
      }
    }),
    { numRuns: 500 },
  )
})

test('so many failures in a row eject, and a good answer begins the row anew', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.array(fc.boolean(), { maxLength: 60 }), (failures, answers) => {
      const all = setOf(2)
      const { standing } = all[0] as One
      let row = 0
      for (const good of answers) {
        row = good ? 0 : row + 1
        if (good) standing.succeed()
        const ejected = !good && blame(all, all[0] as One, 0, { failures, for: 1 })
        expect(ejected).toBe(row === failures)
        if (row === failures) break
      }
      expect(standing.ejected).toBe(row === failures)
    }),
  )
})

test('an ejection lasts for 30 s times how many there were, up to 300 s', () => {
  const { standing } = setOf(1)[0] as One
  let now = 500
  const lasted = Array.from({ length: 12 }, () => {
    const began = now
    standing.eject(now, 30_000)
    now = standing.returnsAt
    expect([standing.review(now - 1), standing.ejected]).toEqual([false, true])
    expect([standing.review(now), standing.ejected, standing.usable]).toEqual([true, false, true])
    expect(standing.review(now)).toBe(false)
    return (now - began) / 1_000
  })
  expect(lasted).toEqual([30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300])
})

test('how long an ejection lasts is as is written', () => {
  const standing = new Standing()
  const lasted = [0, 100, 1_099].map((now) => {
    standing.review(now)
    standing.eject(now, 100)
    return standing.returnsAt - now
  })
  expect(lasted).toEqual([100, 200, 100])
})

test('each 30 s in use since its return take one ejection back, and none are left over for later', () => {
  const standing = new Standing()
  let now = 0
  /** Ejects it after so long in use, and gives how many seconds it is out. */
  const outAfter = (ms: number): number => {
    now += ms
    standing.eject(now, 30_000)
    const began = now
    now = standing.returnsAt
    standing.review(now)
    return (now - began) / 1_000
  }
  expect([outAfter(0), outAfter(0), outAfter(0)]).toEqual([30, 60, 90])
  expect(outAfter(29_999)).toBe(120)
  expect(outAfter(30_000)).toBe(120)
  expect(outAfter(90_000)).toBe(60)
  expect([outAfter(3_600_000), outAfter(0)]).toEqual([30, 60])
  // However often it was ejected, it is soon forgiven.
  for (let i = 0; i < 100; i++) outAfter(0)
  expect(outAfter(300_000)).toBe(30)
})

test('a failure that comes late, while it is ejected, does not count', () => {
  const all = setOf(2)
  const { standing } = all[0] as One
  expect(failOften(all, 0, 5)).toBe(5)
  expect(failOften(all, 0, 20, 1)).toBe(null)
  expect(standing.returnsAt).toBe(30_000)
  standing.review(30_000)
  expect(failOften(all, 0, 20, 30_000)).toBe(5)
})

test('of one none is ejected, of two or three one, of four two', () => {
  const ejectedOf = (count: number): number => {
    const all = setOf(count)
    for (const { place } of all) failOften(all, place, 100)
    return all.filter(({ standing }) => standing.ejected).length
  }
  expect([1, 2, 3, 4, 5, 6].map(ejectedOf)).toEqual([0, 1, 1, 2, 2, 3])
})

test('one that could not go may go with its next failure once another has returned', () => {
  const all = setOf(2)
  failOften(all, 0, 5)
  expect(failOften(all, 1, 7)).toBe(null)
  expect(placesOf(inUse(all))).toEqual([1])
  all[0]?.standing.review(30_000)
  expect(failOften(all, 1, 1, 30_000)).toBe(1)
  expect(placesOf(inUse(all))).toEqual([0])
})

test('one that checks have taken out is out but once', () => {
  const all = setOf(2)
  all[0]?.standing.judge(false)
  expect(failOften(all, 0, 5)).toBe(5)
})

test('those that checks have taken out count among the half that may be out', () => {
  const all = setOf(4)
  all[0]?.standing.judge(false)
  expect(failOften(all, 0, 5)).toBe(5)
  expect(failOften(all, 1, 5)).toBe(5)
  expect(failOften(all, 2, 20)).toBe(null)
  expect(placesOf(inUse(all))).toEqual([2, 3])
})

test('when fewer than half are usable, by ejections and checks together, all are used', () => {
  const all = setOf(4)
  failOften(all, 0, 5)
  all[1]?.standing.judge(false)
  expect(placesOf(inUse(all))).toEqual([2, 3])
  all[2]?.standing.judge(false)
  expect(placesOf(inUse(all))).toEqual([0, 1, 2, 3])
  all[2]?.standing.judge(true)
  expect(placesOf(inUse(all))).toEqual([2, 3])
  const two = setOf(2)
  for (const { standing } of two) standing.judge(false)
  expect(placesOf(inUse(two))).toEqual([0, 1])
})

test('one that is found well again begins a new row, and one that is found well as before does not', () => {
  const all = setOf(2)
  const { standing } = all[0] as One
  failOften(all, 0, 4)
  standing.judge(false)
  standing.judge(true)
  expect(failOften(all, 0, 4)).toBe(null)
  standing.judge(true)
  expect(failOften(all, 0, 4)).toBe(1)
})

test('being found well ends no ejection, and the end of an ejection makes nobody well', () => {
  const standing = new Standing()
  standing.eject(0, 30_000)
  standing.judge(false)
  standing.judge(true)
  expect([standing.ejected, standing.usable]).toEqual([true, false])
  standing.judge(false)
  standing.review(30_000)
  expect([standing.ejected, standing.healthy, standing.usable]).toEqual([false, false, false])
})
