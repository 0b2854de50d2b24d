import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Candidate, Load, chooseOfTwo } from '../../src/policy/balance.ts'

/** A sequence of random numbers in [0, 1) that is the same for the same seed (xorshift). */
function randomOf(seed: number): () => number {
  let state = (seed | 0) === 0 ? 1 : seed | 0
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

/** Endpoints to choose among, named by their place. */
function candidates(loads: readonly Load[]): Candidate[] {
  return loads.map((load, place) => ({ key: String(place), load }))
}

/** The place of the load that is chosen. */
function choose(loads: readonly Load[], now: number, random: () => number, tried?: ReadonlySet<string>): number {
  return Number(chooseOfTwo(candidates(loads), now, random, tried).key)
}

/** Plays calls over endpoints that take the given times (null: fails at once), and counts how many each got. */
function play(
  seed: number,
  calls: number,
  times: (number | null)[],
  gapMs: number,
  prepare?: (loads: Load[]) => void,
): number[] {
  const loads = times.map(() => new Load())
  prepare?.(loads)
  const random = randomOf(seed)
  const counts = times.map(() => 0)
  const ends: { at: number; place: number; ms: number; answered: boolean }[] = []
  for (let i = 0; i < calls; i++) {
    const now = i * gapMs
    for (const end of ends.filter(({ at }) => at <= now)) {
      const load = loads[end.place] as Load
      if (end.answered) load.end(end.at, end.ms)
      else load.fail(end.at, end.ms, loads)
      ends.splice(ends.indexOf(end), 1)
    }
    const place = choose(loads, now, random)
    loads[place]?.begin()
    counts[place] = (counts[place] ?? 0) + 1
    const ms = times[place] ?? 1
    ends.push({ at: now + ms, place, ms, answered: times[place] !== null })
  }
  return counts
}

const seed = fc.integer()

test('one of the endpoints is chosen, whatever has happened to them', () => {
  const event = fc.record({ place: fc.nat(7), ms: fc.nat(5_000), how: fc.constantFrom('answered', 'failed', 'left') })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), fc.array(event, { maxLength: 50 }), seed, (count, events, number) => {
      const loads = Array.from({ length: count }, () => new Load())
      const random = randomOf(number)
      let now = 0
      for (const { place, ms, how } of events) {
        const load = loads[place % count] as Load
        load.begin()
        now += ms
        if (how === 'left') load.leave(now, ms)
        else if (how === 'answered') load.end(now, ms)
        else load.fail(now, ms, [])
        const chosen = choose(loads, now, random)
        expect(Number.isInteger(chosen) && chosen >= 0 && chosen < count).toBe(true)
        expect(loads.every((one) => Number.isFinite(one.cost(now)) && one.cost(now) >= 1)).toBe(true)
      }
      expect(loads.map(({ inFlight }) => inFlight)).toEqual(loads.map(() => 0))
    }),
  )
})

test('of two that are drawn the less loaded is chosen, and both are ever drawn', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20), { minLength: 2, maxLength: 6 }), seed, (inFlight, number) => {
      const loads = inFlight.map((count) => {
        const load = new Load()
        for (let i = 0; i < count; i++) load.begin()
        return load
      })
      const random = randomOf(number)
      const most = Math.max(...inFlight)
      const chosen = Array.from({ length: 400 }, () => choose(loads, 0, random))
      // The most loaded is chosen only against one that is loaded as much.
      if (inFlight.filter((count) => count === most).length > 1) return
      expect(chosen).not.toContain(inFlight.indexOf(most))
      const least = Math.min(...inFlight)
      expect(chosen).toContain(inFlight.indexOf(least))
    }),
  )
})

test('the two that are drawn are never the same', () => {
  const loads = [new Load(), new Load()]
  loads[1]?.begin()
  for (const a of [0, 0.3, 0.5, 0.9999999]) {
    for (const b of [0, 0.3, 0.5, 0.9999999]) {
      const numbers = [a, b]
      expect(choose(loads, 0, () => numbers.shift() as number)).toBe(0)
    }
  }
})

test('endpoints that are alike get about as many calls each', () => {
  fc.assert(
    fc.property(seed, (number) => {
      for (const count of play(number, 3_000, [10, 10, 10], 2)) {
        expect(count).toBeGreaterThan(800)
        expect(count).toBeLessThan(1_200)
      }
    }),
    { numRuns: 20 },
  )
})

test('an endpoint that takes ten times as long gets far fewer calls', () => {
  fc.assert(
    fc.property(seed, (number) => {
      const [slow = 0, ...quick] = play(number, 3_000, [100, 10, 10], 2)
      expect(slow).toBeLessThan(Math.min(...quick) / 3)
    }),
    { numRuns: 20 },
  )
})

test('an endpoint that fails at once does not draw the calls', () => {
  fc.assert(
    fc.property(seed, (number) => {
      const [failing = 0, good = 0] = play(number, 1_000, [null, 20], 5)
      expect(failing).toBeLessThan(good / 10)
    }),
    { numRuns: 20 },
  )
})

test('an endpoint that has failed once is tried again within half a minute, though nothing else is heard of it', () => {
  fc.assert(
    fc.property(seed, fc.integer({ min: 1, max: 50 }), (number, quickMs) => {
      const loads = [new Load(), new Load()]
      const random = randomOf(number)
      loads[0]?.begin()
      loads[0]?.fail(0, 1, loads)
      let now = 0
      for (; now < 120_000; now += 100) {
        if (choose(loads, now, random) === 0) break
        loads[1]?.begin()
        loads[1]?.end(now + quickMs, quickMs)
      }
      expect(now).toBeLessThan(30_000)
    }),
  )
})

test('a call that was given up is no failure of the endpoint', () => {
  const left = new Load()
  left.begin()
  left.end(0, 10)
  left.begin()
  left.leave(5, 5)
  expect(left.cost(5)).toBeCloseTo(11, 1)
  // What was given up after long has taken long.
  left.begin()
  left.leave(1_005, 1_000)
  expect(left.cost(1_005)).toBe(1_001)
})

test('a slow answer is believed at once, quick ones bit by bit', () => {
  const load = new Load()
  const answer = (now: number, ms: number): number => {
    load.begin()
    load.end(now, ms)
    return load.cost(now)
  }
  expect(answer(0, 10)).toBe(11)
  expect(answer(10, 500)).toBe(501)
  const after = answer(20, 10)
  expect(after).toBeGreaterThan(450)
  expect(answer(60_000, 10)).toBeLessThan(20)
})

test('a call that is over without saying anything is under way no more, and has taught nothing', () => {
  const load = new Load()
  load.begin()
  load.end(0, 10)
  load.begin()
  load.pass()
  expect([load.inFlight, load.cost(0)]).toEqual([0, 11])
})

test('what was tried is chosen only if nothing else is left, and then as if nothing had been', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), fc.uniqueArray(fc.nat(5)), seed, (count, places, number) => {
      const loads = Array.from({ length: count }, () => new Load())
      const tried = new Set(places.map(String))
      // However loaded they are.
      for (const [place, load] of loads.entries()) if (!tried.has(String(place))) load.begin()
      const left = loads.map((_, place) => place).filter((place) => !places.includes(place))
      const random = randomOf(number)
      const chosen = new Set(Array.from({ length: 200 }, () => choose(loads, 0, random, tried)))
      const expected = left.length === 0 ? loads.map((_, place) => place) : left
      expect(chosen).toEqual(new Set(expected))
    }),
  )
})

test('as long as nothing was tried the candidates are chosen from as they stand, and not from a copy', () => {
  const given = candidates([new Load(), new Load()])
  let copied = 0
  given.filter = () => (copied++, [])
  expect(given).toContain(chooseOfTwo(given, 0, Math.random, new Set()))
  expect(given).toContain(chooseOfTwo(given, 0, Math.random))
  expect(copied).toBe(0)
})

test('where there is but one the dice are not asked', () => {
  const [one, other] = candidates([new Load(), new Load()]) as [Candidate, Candidate]
  expect(chooseOfTwo([one], 0, expect.unreachable)).toBe(one)
  expect(chooseOfTwo([one, other], 0, expect.unreachable, new Set(['0']))).toBe(other)
})

test('one that starts forgets its failures, and costs ten times as much as its like, less by and by for ten seconds', () => {
  const [failed, other] = [new Load(), new Load()]
  failed.begin()
  failed.fail(0, 1, [failed])
  expect(failed.cost(0)).toBe(11)
  failed.start(1_000, [failed, other])
  const costs = [0, 2_500, 5_000, 9_999, 10_000, 60_000].map((ms) => failed.cost(1_000 + ms))
  expect(costs.map((cost) => Number(cost.toFixed(2)))).toEqual([10, 3.08, 1.82, 1, 1, 1])
  // What had been under way still is.
  failed.begin()
  failed.start(100_000, [])
  expect([failed.inFlight, failed.cost(100_000)]).toEqual([1, 20])
})

test('one that starts is taken to be as quick as the others, but for those that fail', () => {
  const taking = (ms: number): Load => {
    const load = new Load()
    load.begin()
    load.end(0, ms)
    return load
  }
  /** The latency in ms that it is taken to have. */
  const taken = (...others: number[]): number => {
    const load = taking(500)
    load.start(0, [load, ...others.map(taking)])
    return Math.round(load.cost(0) / 10) - 1
  }
  expect(taken()).toBe(0)
  expect(taken(30)).toBe(30)
  expect(taken(1_000, 30)).toBe(30)
  expect(taken(9, 1_000, 30)).toBe(30)
  // What they took a while ago counts as much less as it does for themselves.
  const [old, load] = [taking(100), taking(1)]
  load.start(10_000, [old, load])
  expect(load.cost(10_000)).toBeCloseTo(10 * old.cost(10_000), 6)
})

test('under load one that starts has few calls at first, its first among them, and its full share in the end', () => {
  fc.assert(
    fc.property(seed, (number) => {
      /** The calls that come to the first of four in so many ms, for each that comes to another. */
      const share = (ms: number): number => {
        const [first = 0, ...others] = play(number, ms * 5, [20, 20, 20, 20], 0.2, (loads) => {
          for (const load of loads) {
            load.begin()
            load.end(0, 20)
          }
          loads[0]?.start(0, loads)
        })
        return (3 * first) / others.reduce((sum, count) => sum + count, 0)
      }
      expect(share(20)).toBeLessThan(0.25)
      expect(share(1_000)).toBeLessThan(0.3)
      expect(share(10_000)).toBeGreaterThan(0.45)
      expect(share(10_000)).toBeLessThan(0.75)
    }),
    { numRuns: 5 },
  )
})
