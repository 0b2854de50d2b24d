import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Breaker, type BreakerOptions, type Pass } from '../../src/policy/breaker.ts'

type Verdict = 'good' | 'bad' | 'unknown'

interface Call {
  readonly pass: Pass
  /** How often the state had changed when it entered: by that, not by times, the model tells earlier states. */
  readonly era: number
  readonly enteredAt: number
}

const written: BreakerOptions = { failures: 0.5, of: 20, within: 10_000, open: 5_000 }

/** A breaker beside a model of it that remembers every call; they must agree after everything that happens. */
function watch(options: BreakerOptions, startAt: number) {
  const { failures, of, within, open, slow } = options
  let drawn = 0
  const breaker = new Breaker(options, () => drawn)
  const underWay: Call[] = []
  let now = startAt
  let state: Breaker['state'] = 'closed'
  let era = 0
  let judged: { at: number; bad: boolean; slow: boolean }[] = []
  let openings = 0
  let closedAt = -Infinity
  let until = 0

  const change = (to: Breaker['state']): void => {
    state = to
    era++
    judged = []
  }
  const reopen = (relapse: boolean): void => {
    openings = relapse ? openings + 1 : 1
    change('open')
    const forMs = Math.min(open * 2 ** (openings - 1), Math.max(open, 60_000))
    until = now + forMs * (0.8 + 0.4 * drawn)
  }
  /** What `enter` may answer. */
  const expected = (): Pass | null => {
    if (state === 'closed') {
      const share = 0.1 + 0.9 * Math.min(1, (now - closedAt) / open)
      return share >= 1 || drawn < share ? 'counted' : null
    }
    if (state === 'open' && now >= until) change('half_open')
    if (state === 'open' || underWay.filter(({ pass }) => pass === 'probe').length === 3) return null
    return 'probe'
  }
  const shareOf = (which: 'bad' | 'slow'): number => judged.filter((one) => one[which]).length / judged.length
  const learn = (bad: boolean, tookMs: number): void => {
    judged.push({ at: now, bad, slow: slow !== undefined && tookMs > slow.over })
    const tooSlow = (): boolean => slow !== undefined && shareOf('slow') >= slow.share
    if (state === 'half_open') {
      if (bad || (judged.length === 3 && tooSlow())) reopen(true)
      else if (judged.length === 3) {
        change('closed')
        closedAt = now
      }
      return
    }
    const tenth = (at: number): number => Math.floor(at / (within / 10))
    judged = judged.filter(({ at }) => tenth(at) > tenth(now) - 10)
    if (judged.length >= of && (shareOf('bad') >= failures || tooSlow())) reopen(now < closedAt + open)
  }

  return {
    /** Whether it was let through. */
    enter(random: number): boolean {
      drawn = random
      const full = state === 'half_open' && expected() === null
      expect(breaker.retryInMs(now)).toBe(state === 'open' ? Math.max(0, until - now) : full ? 1_000 : 0)
      const pass = expected()
      expect(breaker.enter(now)).toBe(pass)
      if (pass !== null) underWay.push({ pass, era, enteredAt: now })
      expect(underWay.filter((call) => call.pass === 'probe').length).toBeLessThanOrEqual(3)
      return pass !== null
    },
    /** -1 is the one that entered last. */
    leave(which: number, verdict: Verdict, random: number): void {
      const [call] = underWay.splice(which % Math.max(1, underWay.length), 1)
      if (call === undefined) return
      drawn = random
      const tookMs = now - call.enteredAt
      breaker.leave(call.pass, now, verdict, tookMs)
      if (call.era === era && verdict !== 'unknown') learn(verdict === 'bad', tookMs)
    },
    pass(ms: number): void {
      now += ms
    },
    check(): void {
      expect(breaker.state).toBe(state)
    },
  }
}

type Watched = ReturnType<typeof watch>
type Deed = (watched: Watched) => void

// None of them is the share of a moment, where the model's roundings would decide.
const random = fc.nat(1_008).map((n) => (2 * n + 1) / 2_018)
const share = fc.integer({ min: 5, max: 100 }).map((percent) => percent / 100)
const options = fc.record<BreakerOptions>({
  failures: share,
  of: fc.integer({ min: 1, max: 8 }),
  within: fc.constantFrom(100, 1_000, 10_000),
  open: fc.constantFrom(50, 1_000, 5_000, 90_000),
  slow: fc.option(fc.record({ over: fc.constantFrom(0, 10, 500), share }), { nil: undefined }),
})
const gapMs = fc.oneof(
  fc.double({ min: 0, max: 20, noNaN: true }),
  fc.double({ min: 0, max: 2_000, noNaN: true }),
  fc.double({ min: 0, max: 150_000, noNaN: true }),
  fc.constantFrom(10, 100, 500, 1_000, 5_000),
)
const verdict = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Verdict>('good') },
  { weight: 4, arbitrary: fc.constant<Verdict>('bad') },
  { weight: 1, arbitrary: fc.constant<Verdict>('unknown') },
)
const deed = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(fc.integer({ min: 1, max: 5 }), random).map(([count, drawn]): Deed => {
      return (watched) => {
        for (let i = 0; i < count; i++) watched.enter(drawn)
      }
    }),
  },
  {
    weight: 5,
    arbitrary: fc
      .tuple(fc.nat(20), verdict, random, fc.integer({ min: 1, max: 4 }))
      .map(([which, what, drawn, count]): Deed => {
        return (watched) => {
          for (let i = 0; i < count; i++) watched.leave(which, what, drawn)
        }
      }),
  },
  {
    weight: 2,
    arbitrary: gapMs.map(
      (ms): Deed =>
        (watched) =>
          watched.pass(ms),
    ),
  },
)

test('it does what a model does that remembers every call, whatever comes, goes and ends late', () => {
  fc.assert(
    fc.property(
      options,
      fc.double({ min: -1e6, max: 1e9, noNaN: true }),
      fc.array(deed, { maxLength: 300, size: 'max' }),
      (chosen, startAt, deeds) => {
        const watched = watch(chosen, startAt)
        for (const one of deeds) {
          one(watched)
          watched.check()
        }
      },
    ),
    { numRuns: 400 },
  )
})

test('it opens by the calls of ten tenths of the time that is written, whenever they come', () => {
  const burst = fc.record({
    gap: fc.oneof(
      fc.constant(0),
      fc.double({ min: 0, max: 0.3, noNaN: true }),
      fc.double({ min: 0, max: 3, noNaN: true }),
    ),
    good: fc.nat(4),
    bad: fc.nat(3),
  })
  const within = fc.constantFrom(70, 1_000, 10_000)
  fc.assert(
    fc.property(within, fc.integer({ min: 10, max: 30 }), fc.array(burst, { maxLength: 100 }), (within, of, bursts) => {
      const watched = watch({ ...written, within, of, open: within * 10 }, 0)
      for (const { gap, good, bad } of bursts) {
        watched.pass(gap * within)
        for (let i = 0; i < good + bad; i++) {
          if (watched.enter(0.5)) watched.leave(-1, i < good ? 'good' : 'bad', 0.5)
          watched.check()
        }
      }
    }),
    { numRuns: 300 },
  )
})

/** A breaker that draws the middle, so that it opens for as long as is written. */
function middling(some: Partial<BreakerOptions> = {}): Breaker {
  return new Breaker({ ...written, ...some }, () => 0.5)
}

/** Calls that are let through, and have taken that long at the moment they end. */
function calls(breaker: Breaker, now: number, count: number, verdict: Verdict, tookMs = 0): void {
  for (let i = 0; i < count; i++) {
    const pass = breaker.enter(now)
    expect(pass).not.toBeNull()
    breaker.leave(pass as Pass, now, verdict, tookMs)
  }
}

/** Opens a breaker at 0. */
function opened(some?: Partial<BreakerOptions>): Breaker {
  const breaker = middling(some)
  calls(breaker, 0, 20, 'bad')
  expect(breaker.state).toBe('open')
  return breaker
}

/** Enters as many probes as it may. */
function probe(breaker: Breaker, now: number): number {
  let entered = 0
  while (entered < 10 && breaker.enter(now) === 'probe') entered++
  return entered
}

/** A breaker that opened at 0 and closed at 5000. */
function closedAgain(some?: Partial<BreakerOptions>): Breaker {
  const breaker = opened(some)
  calls(breaker, 5_000, 3, 'good')
  expect(breaker.state).toBe('closed')
  return breaker
}

test('half of 20 calls must be bad, and 19 say nothing', () => {
  const few = middling()
  calls(few, 0, 19, 'bad')
  expect(few.state).toBe('closed')
  calls(few, 0, 1, 'good')
  expect(few.state).toBe('open')

  const fewer = middling()
  calls(fewer, 0, 11, 'good')
  calls(fewer, 0, 9, 'bad')
  expect(fewer.state).toBe('closed')
  calls(fewer, 0, 1, 'bad')
  expect(fewer.state).toBe('closed')
  calls(fewer, 0, 1, 'bad')
  expect(fewer.state).toBe('open')
})

test.each([0.07, 0.29, 0.57])('a share of %d of 100 calls is what is written', (failures) => {
  const breaker = middling({ failures, of: 100 })
  calls(breaker, 0, 100 - Math.round(failures * 100), 'good')
  calls(breaker, 0, Math.round(failures * 100) - 1, 'bad')
  expect(breaker.state).toBe('closed')
  calls(breaker, 0, 1, 'bad')
  expect(breaker.state).toBe('open')
})

test('of calls whose outcome says nothing none counts', () => {
  const breaker = middling()
  calls(breaker, 0, 100, 'unknown')
  calls(breaker, 0, 19, 'bad')
  calls(breaker, 0, 100, 'unknown')
  expect(breaker.state).toBe('closed')
})

test('calls count for the time that is written, less what is left of a tenth of it', () => {
  const within = (lastAt: number): Breaker['state'] => {
    const breaker = middling()
    calls(breaker, 1_999, 10, 'bad')
    calls(breaker, 2_000, 9, 'bad')
    calls(breaker, lastAt, 1, 'bad')
    return breaker.state
  }
  expect(within(10_999)).toBe('open')
  expect(within(11_000)).toBe('closed')
})

test('a silence of any length is forgotten in one round', () => {
  for (const silenceMs of [10_000, 11_000, 20_000, 1e12]) {
    const breaker = middling()
    calls(breaker, 0, 19, 'bad')
    calls(breaker, silenceMs, 19, 'bad')
    expect(breaker.state).toBe('closed')
    calls(breaker, silenceMs, 1, 'bad')
    expect(breaker.state).toBe('open')
  }
})

test.each([
  [0, 4_000],
  [0.5, 5_000],
  [0.75, 5_500],
])('it is open for the time that is written, a fifth more or less: drawn %d, %i ms', (drawn, forMs) => {
  const breaker = new Breaker(written, () => drawn)
  calls(breaker, 100, 20, 'bad')
  expect(breaker.retryInMs(100)).toBeCloseTo(forMs)
  expect(breaker.retryInMs(1_100)).toBeCloseTo(forMs - 1_000)
  expect(breaker.enter(99 + forMs)).toBeNull()
  expect(breaker.state).toBe('open')
  expect(breaker.retryInMs(101 + forMs)).toBe(0)
  expect(breaker.enter(101 + forMs)).toBe('probe')
  expect(breaker.state).toBe('half_open')
})

test('it is open twice as long each time that a probe fails, up to a minute', () => {
  const breaker = opened()
  let now = 0
  for (const forMs of [5_000, 10_000, 20_000, 40_000, 60_000, 60_000]) {
    expect(breaker.retryInMs(now)).toBe(forMs)
    now += forMs
    calls(breaker, now, 1, 'bad')
    expect(breaker.state).toBe('open')
  }
})

test('a time longer than a minute is not cut, nor doubled', () => {
  const breaker = opened({ open: 90_000 })
  expect(breaker.retryInMs(0)).toBe(90_000)
  calls(breaker, 90_000, 1, 'bad')
  expect(breaker.retryInMs(90_000)).toBe(90_000)
})

test('three probes at once are let through, and each that ends makes room for one', () => {
  const breaker = opened()
  expect(probe(breaker, 5_000)).toBe(3)
  expect(breaker.retryInMs(5_000)).toBe(1_000)
  breaker.leave('probe', 5_010, 'unknown', 10)
  expect(breaker.retryInMs(5_010)).toBe(0)
  expect(probe(breaker, 5_010)).toBe(1)
  breaker.leave('probe', 5_020, 'good', 20)
  breaker.leave('probe', 5_020, 'good', 20)
  expect(probe(breaker, 5_020)).toBe(2)
  expect(breaker.state).toBe('half_open')
  breaker.leave('probe', 5_030, 'good', 20)
  expect(breaker.state).toBe('closed')
})

test('a bad probe opens it again, whatever the ones before were', () => {
  const breaker = opened()
  calls(breaker, 5_000, 2, 'good')
  calls(breaker, 5_000, 1, 'bad')
  expect(breaker.state).toBe('open')
  // The good ones of before do not count the next time.
  calls(breaker, 15_000, 1, 'good')
  expect(breaker.state).toBe('half_open')
})

test('calls that entered before it opened say nothing while it is open, half open or closed again', () => {
  const breaker = middling()
  for (let i = 0; i < 100; i++) breaker.enter(0)
  calls(breaker, 10, 20, 'bad')
  breaker.leave('counted', 20, 'bad', 20)
  expect(breaker.retryInMs(20)).toBe(4_990)
  expect(probe(breaker, 5_010)).toBe(3)
  for (const verdict of ['bad', 'good', 'unknown'] as const) breaker.leave('counted', 5_020, verdict, 5_020)
  expect(breaker.state).toBe('half_open')
  expect(breaker.enter(5_020)).toBeNull()
  for (let i = 0; i < 3; i++) breaker.leave('probe', 5_030, 'good', 20)
  for (let i = 0; i < 90; i++) breaker.leave('counted', 15_000, 'bad', 15_000)
  expect(breaker.state).toBe('closed')
  calls(breaker, 15_000, 19, 'bad')
  expect(breaker.state).toBe('closed')
})

test('a probe of an earlier half-open time keeps its place until it ends, and judges nothing', () => {
  const breaker = opened()
  expect(probe(breaker, 5_000)).toBe(3)
  // It opens at the very moment at which the others have entered.
  breaker.leave('probe', 5_000, 'bad', 0)
  breaker.leave('probe', 5_020, 'bad', 20)
  // Still for the 10 s that began with the first of them.
  expect(breaker.retryInMs(5_020)).toBe(9_980)
  expect(probe(breaker, 15_000)).toBe(2)
  breaker.leave('probe', 15_020, 'bad', 10_020)
  expect(breaker.state).toBe('half_open')
  expect(probe(breaker, 15_020)).toBe(1)
  for (let i = 0; i < 3; i++) breaker.leave('probe', 15_030, 'good', 10)
  expect(breaker.state).toBe('closed')
})

test('a probe that ends after it has closed judges nothing', () => {
  const breaker = opened()
  probe(breaker, 5_000)
  breaker.leave('probe', 5_010, 'good', 10)
  breaker.leave('probe', 5_010, 'good', 10)
  probe(breaker, 5_010)
  breaker.leave('probe', 5_020, 'good', 10)
  breaker.leave('probe', 5_030, 'bad', 20)
  breaker.leave('probe', 5_030, 'bad', 20)
  expect(breaker.state).toBe('closed')
})

test.each([100, 1_000, 20_000])('nothing of before it opened counts after it has closed: open for %i ms', (open) => {
  // In the same tenth of a minute, and in later ones.
  const breaker = middling({ within: 60_000, open })
  calls(breaker, 0, 20, 'bad')
  calls(breaker, open, 3, 'good')
  calls(breaker, 2 * open, 19, 'bad')
  expect(breaker.state).toBe('closed')
})

test.each([
  [0, 0.1],
  [1_000, 0.28],
  [2_500, 0.55],
  [4_000, 0.82],
])('%i ms after it has closed a share of %d is let through', (afterMs, expected) => {
  let drawn = 0.5
  const breaker = new Breaker(written, () => drawn)
  calls(breaker, 0, 20, 'bad')
  calls(breaker, 5_000, 3, 'good')
  drawn = expected - 0.001
  expect(breaker.enter(5_000 + afterMs)).toBe('counted')
  drawn = expected + 0.001
  expect(breaker.enter(5_000 + afterMs)).toBeNull()
  // It may be let through: by chance.
  expect(breaker.retryInMs(5_000 + afterMs)).toBe(0)
  drawn = 0.999999
  expect(breaker.enter(9_999)).toBeNull()
  expect(breaker.enter(10_000)).toBe('counted')
})

test('what opens it while it returns is a relapse: the doubling goes on', () => {
  const breaker = closedAgain()
  // Half of them are let through from 2222 ms on.
  calls(breaker, 9_999, 20, 'bad')
  expect(breaker.state).toBe('open')
  expect(breaker.retryInMs(9_999)).toBe(10_000)
  calls(breaker, 19_999, 3, 'good')
  calls(breaker, 24_998, 20, 'bad')
  expect(breaker.retryInMs(24_998)).toBe(20_000)
})

test('after it has fully returned the doubling starts over', () => {
  const breaker = closedAgain()
  calls(breaker, 9_999, 20, 'bad')
  calls(breaker, 19_999, 3, 'good')
  calls(breaker, 24_999, 20, 'bad')
  expect(breaker.retryInMs(24_999)).toBe(5_000)
})

test('slow calls open it by their share, good or bad', () => {
  const slow = { over: 100, share: 0.8 }
  const breaker = middling({ slow })
  calls(breaker, 1_000, 4, 'good', 100)
  calls(breaker, 1_000, 15, 'good', 101)
  expect(breaker.state).toBe('closed')
  calls(breaker, 1_000, 1, 'bad', 101)
  expect(breaker.state).toBe('open')
  const indifferent = middling()
  calls(indifferent, 1_000, 100, 'good', 1_000)
  expect(indifferent.state).toBe('closed')
})

test('three good probes do not close it when as many of them are slow as open it', () => {
  const slow = { over: 100, share: 0.5 }
  const probed = (tookMs: readonly number[]): Breaker => {
    const breaker = opened({ slow })
    expect(probe(breaker, 5_000)).toBe(3)
    for (const ms of tookMs) breaker.leave('probe', 5_000 + ms, 'good', ms)
    return breaker
  }
  expect(probed([10, 20, 300]).state).toBe('closed')
  const open = probed([10, 200, 300])
  expect(open.state).toBe('open')
  expect(open.retryInMs(5_300)).toBe(10_000)
  // Nor do the slow ones of before count the next time.
  calls(open, 15_300, 1, 'good', 200)
  calls(open, 15_300, 2, 'good')
  expect(open.state).toBe('closed')
})

test('an upstream that is down is sent a probe at each opening, and one that has come back no herd', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 30 }), (seed) => {
      let drawn = seed
      // Park and Miller's generator: the same numbers for the same seed.
      const breaker = new Breaker(written, () => (drawn = (drawn * 48_271) % 0x7fffffff) / 0x7fffffff)
      let sent = 0
      // 1000 calls a second, of which each is answered at once.
      for (let now = 0; now < 300_000; now++) {
        const pass = breaker.enter(now)
        if (pass === null) continue
        sent++
        breaker.leave(pass, now, 'bad', 0)
      }
      // 20 that opened it; then after about 5, 15, 35, 75, 135, 195, 255 s.
      expect(sent).toBeGreaterThanOrEqual(20 + 6)
      expect(sent).toBeLessThanOrEqual(20 + 9)
      const perSecond: number[] = []
      for (let now = 300_000; now < 400_000; now++) {
        const pass = breaker.enter(now)
        if (pass === null) continue
        breaker.leave(pass, now, 'good', 0)
        if (pass === 'counted') perSecond.push(now)
      }
      const first = perSecond[0] as number
      const during = (from: number): number =>
        perSecond.filter((at) => at >= first + from && at < first + from + 1_000).length
      expect(during(0)).toBeLessThan(260)
      expect(during(2_000)).toBeLessThan(650)
      expect(during(5_100)).toBe(1_000)
    }),
    { numRuns: 20 },
  )
})
