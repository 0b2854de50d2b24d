import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Gradient } from '../../src/policy/gradient.ts'

interface Load {
  /** Calls per ms. */
  readonly rate?: number
  /** How many calls are under way: as many as may be, unless said otherwise. */
  readonly inFlight?: (limit: number) => number
  /** How long a call takes that began with so many under way. */
  readonly takes: (inFlight: number, random: number, now: number) => number
  readonly overloaded?: (inFlight: number, random: number) => boolean
}

/** A gradient under a load, with a clock of its own: calls end one by one, as often as the rate says. */
function drive(max: number, min?: number) {
  const gradient = new Gradient(min === undefined ? { max } : { max, min })
  let now = 5_000
  let state = 1
  // A sequence that is the same each time (xorshift).
  const random = (): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
  /** The limit after each tenth of a second. */
  const pass = (ms: number, { rate = 3, inFlight = (limit) => limit, takes, overloaded = () => false }: Load) => {
    const limits: number[] = []
    const end = now + ms
    for (let next = now + 100; now < end; now += 1 / rate) {
      const busy = inFlight(gradient.limit)
      const drawn = random()
      gradient.sample(now, takes(busy, drawn, now), busy, overloaded(busy, drawn))
      if (now >= next) {
        limits.push(gradient.limit)
        next += 100
      }
    }
    return limits
  }
  /** Calls that take as long as they do because of ourselves, one each ms. */
  const excuse = (ms: number, inFlight: (limit: number) => number): void => {
    for (const end = now + ms; now < end; now++) gradient.excuse(now, inFlight(gradient.limit))
  }
  return { gradient, pass, excuse }
}

const steady = (ms: number) => (): number => ms
/** What Little's law says of an upstream that serves so many at once, each in so many ms. */
const serving = (servers: number, ms: number) => (inFlight: number) => ms * Math.max(1, inFlight / servers)
const mean = (numbers: readonly number[]): number => numbers.reduce((sum, one) => sum + one, 0) / numbers.length

test('a limit starts at its greatest, and is a whole number within its bounds whatever happens', () => {
  const sample = fc.tuple(fc.nat(300), fc.nat(5_000), fc.integer({ min: 1, max: 400 }), fc.boolean())
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), fc.array(sample, { maxLength: 300 }), (max, samples) => {
      const gradient = new Gradient({ max })
      expect(gradient.limit).toBe(max)
      let now = 0
      for (const [gapMs, tookMs, inFlight, overloaded] of samples) {
        gradient.sample((now += gapMs), tookMs, inFlight, overloaded)
        expect(Number.isInteger(gradient.limit)).toBe(true)
        expect(gradient.limit).toBeGreaterThanOrEqual(Math.min(4, max))
        expect(gradient.limit).toBeLessThanOrEqual(max)
      }
    }),
    { numRuns: 500 },
  )
})

test('calls that take as long however many there are shrink it only once, after ten seconds, and for two windows', () => {
  for (const ms of [0, 0.3, 20, 300]) {
    const { pass } = drive(256)
    expect(new Set(pass(9_900, { takes: steady(ms) }))).toEqual(new Set([256]))
    const tried = pass(2_000, { takes: steady(ms) })
    expect(Math.min(...tried)).toBe(125)
    expect(tried.filter((limit) => limit < 230).length).toBeLessThan(12)
    expect(new Set(pass(30_000, { takes: steady(ms) }))).toEqual(new Set([256]))
  }
})

test('a queue that was there from the first is found within some seconds more', () => {
  const { pass } = drive(256)
  pass(13_000, { takes: serving(64, 20) })
  const limits = pass(5_000, { takes: serving(64, 20) })
  expect(mean(limits) / 64).toBeGreaterThan(0.9)
  expect(mean(limits) / 64).toBeLessThan(1.2)
})

test('it comes to what the upstream serves at once, follows it down within 2 s and up within 5 s', () => {
  const { pass } = drive(256)
  pass(1_000, { inFlight: () => 20, takes: steady(20) })
  const first = pass(8_000, { takes: serving(64, 20) })
  const halved = pass(8_000, { takes: serving(32, 20) })
  const returned = pass(8_000, { takes: serving(64, 20) })
  for (const [limits, level] of [
    [first.slice(40), 64],
    [halved.slice(20), 32],
    [returned.slice(50), 64],
  ] as const) {
    expect(mean(limits) / level).toBeGreaterThan(0.9)
    expect(mean(limits) / level).toBeLessThan(1.2)
    expect(Math.max(...limits) / level).toBeLessThan(1.5)
    expect(Math.min(...limits) / level).toBeGreaterThan(0.6)
  }
})

test('an upstream that becomes slower for all alike gets its limit back: that is what it takes now', () => {
  // Before anything is sure, and after.
  for (const ms of [3_000, 12_000]) {
    const { pass } = drive(256)
    pass(ms, { takes: steady(20) })
    const slower = pass(9_000, { takes: steady(60) })
    // It was tried, in two steps, and given back.
    expect(Math.min(...slower)).toBe(125)
    expect(slower.filter((limit) => limit < 230).length).toBeLessThan(6)
    expect(slower.slice(18)).toEqual(slower.slice(18).map(() => 256))
  }
})

test('a usual latency that has risen at one stroke is tried again after ten seconds', () => {
  const { pass } = drive(256)
  pass(12_000, { takes: steady(20) })
  pass(9_000, { takes: steady(60) })
  expect(Math.min(...pass(3_000, { takes: steady(60) }))).toBe(125)
  expect(new Set(pass(30_000, { takes: steady(60) }))).toEqual(new Set([256]))
})

test('all that was taken in vain is given back, also of a limit that was not used up', () => {
  const { pass } = drive(256)
  const most = { inFlight: (limit: number) => Math.min(160, limit) }
  pass(3_000, { ...most, takes: steady(20) })
  const slower = pass(3_000, { ...most, takes: steady(60) })
  expect(Math.min(...slower)).toBe(78)
  expect(slower.filter((limit) => limit < 230).length).toBeLessThan(6)
})

test('an upstream that has become slower has a new edge, and the limit stays at it', () => {
  const { pass } = drive(256)
  pass(1_000, { inFlight: () => 20, takes: steady(20) })
  pass(8_000, { takes: serving(64, 20) })
  const slower = pass(8_000, { takes: serving(64, 40) }).slice(30)
  expect(mean(slower) / 64).toBeGreaterThan(0.9)
  expect(mean(slower) / 64).toBeLessThan(1.2)
})

test('slow first calls do not make a long latency usual', () => {
  const { pass } = drive(256)
  pass(2_000, { takes: steady(400) })
  pass(11_000, { takes: serving(64, 20) })
  const later = pass(5_000, { takes: serving(64, 20) })
  expect(mean(later) / 64).toBeGreaterThan(0.9)
  expect(mean(later) / 64).toBeLessThan(1.25)
})

test('calls of two kinds, one quick and one slow, do not shrink it, be they few or many', () => {
  const takes = (_: number, random: number): number => (random < 0.1 ? 300 : 5)
  for (const rate of [0.05, 0.5, 5]) {
    const limits = drive(100).pass(30_000, { rate, takes })
    expect(mean(limits)).toBeGreaterThan(88)
    expect(Math.min(...limits)).toBeGreaterThan(rate < 0.5 ? 20 : 48)
  }
})

test('a limit at its greatest that is not used up is left alone', () => {
  const { pass } = drive(256)
  expect(new Set(pass(30_000, { inFlight: () => 200, takes: steady(20) }))).toEqual(new Set([256]))
})

test('a fast upstream is not mistaken for what was usual while it was slow', () => {
  const { pass } = drive(256)
  // An experiment has shown that 400 ms are its own.
  pass(12_000, { takes: steady(400) })
  pass(12_000, { takes: serving(64, 20) })
  expect(mean(pass(5_000, { takes: serving(64, 20) })) / 64).toBeLessThan(1.2)
})

test('a latency that falls below the usual becomes the usual, so that the next queue shows', () => {
  const { pass } = drive(256)
  const most = { inFlight: (limit: number) => Math.min(180, limit) }
  pass(1_000, { ...most, takes: steady(400) })
  pass(1_000, { ...most, takes: steady(20) })
  expect(mean(pass(6_000, { takes: serving(64, 20) }).slice(30)) / 64).toBeLessThan(1.2)
})

test('half as many servers of twice the speed are found out, though the latency is the same at first', () => {
  const { pass } = drive(256)
  pass(1_000, { inFlight: () => 20, takes: steady(40) })
  pass(8_000, { takes: serving(100, 40) })
  const limits = pass(5_000, { takes: serving(50, 20) }).slice(20)
  expect(mean(limits) / 50).toBeGreaterThan(0.9)
  expect(mean(limits) / 50).toBeLessThan(1.2)
})

test('a small upstream is not flooded, though its calls are few and very different', () => {
  const { pass } = drive(64)
  const takes = (inFlight: number, random: number): number => (Math.max(0, inFlight / 24 - 1) - Math.log(random)) * 20
  pass(1_000, { rate: 1.2, inFlight: () => 10, takes })
  const limits = pass(20_000, { rate: 1.2, takes }).slice(30)
  expect(mean(limits) / 24).toBeGreaterThan(0.8)
  expect(mean(limits) / 24).toBeLessThan(1.15)
})

/** Fills one window after another with calls that take about as long as is told, and gives the limit after each. */
function windows(gradient: Gradient, latencies: readonly number[]): number[] {
  let now = 0
  return latencies.map((ms) => {
    // What began before the window is ignored.
    now += 200
    for (let i = 0; i <= 200; i++)
      gradient.sample((now += 0.5), i % 2 === 0 ? ms * 0.8 : ms / 0.8, gradient.limit, false)
    return gradient.limit
  })
}

test('two windows with a queue shrink it, but not with one between that has none', () => {
  const gradient = new Gradient({ max: 100 })
  expect(windows(gradient, [20, 90, 20, 90, 20, 90, 20])).toEqual([100, 100, 100, 100, 100, 100, 100])
  expect(windows(new Gradient({ max: 100 }), [20, 90, 90])).toEqual([100, 100, 70])
})

test('it shrinks from what is in flight, and latency never makes it grow', () => {
  const shrunk = (inFlight: number): number => {
    const { gradient, pass } = drive(100)
    pass(2_000, { inFlight: () => 90, takes: steady(20) })
    pass(220, { inFlight: () => inFlight, takes: steady(100) })
    return gradient.limit
  }
  expect([shrunk(60), shrunk(80), shrunk(100)]).toEqual([42, 56, 70])
  // As when many began under a limit that has shrunk since.
  expect([shrunk(140), shrunk(1_000)]).toEqual([98, 100])
})

test('nothing is concluded from calls that are as many as before the limit shrank', () => {
  const { gradient, pass } = drive(100)
  pass(2_000, { takes: steady(20) })
  pass(220, { takes: serving(20, 20) })
  expect(gradient.limit).toBe(70)
  // They wait still; had it been in vain, the limit would have been given back.
  pass(250, { inFlight: () => 100, takes: steady(100) })
  expect(gradient.limit).toBeLessThanOrEqual(70)
  pass(250, { inFlight: () => 130, takes: steady(100) })
  expect(gradient.limit).toBeLessThanOrEqual(70)
})

test('a change is judged by calls that began after it', () => {
  const gradient = new Gradient({ max: 50 })
  for (let now = 0; now <= 100; now++) gradient.sample(now, 20, 40, now % 2 === 0)
  const shrunk = gradient.limit
  expect(shrunk).toBeLessThan(50)
  // Whatever ends within the 20 ms that a call takes began before it.
  for (let now = 100; now < 120; now += 0.01) gradient.sample(now, 20, 40, false)
  for (let now = 120; now < 219; now++) gradient.sample(now, 20, 40, false)
  expect(gradient.limit).toBe(shrunk)
  for (let now = 219; now < 225; now++) gradient.sample(now, 20, 40, false)
  expect(gradient.limit).toBeGreaterThan(shrunk)
})

test('it goes down to where fewer calls are no quicker, tries once more, goes one step back, and up in small steps', () => {
  const limits = windows(new Gradient({ max: 1_000 }), [20, 50, 50, 35, ...Array.from({ length: 11 }, () => 20)])
  expect(limits.slice(0, 5)).toEqual([1_000, 1_000, 700, 489, 342])
  // Another look further down, then 93 % of 489 and a twentieth; beyond that edge steps of 5 %, 7 %, 10 %, …
  expect(limits.slice(5)).toEqual([239, 478, 502, 527, 553, 592, 650, 740, 882, 1_000])
})

test('a latency that comes out far below the usual shows that the usual was a queue, and it goes further down', () => {
  // Down to the bottom, and up to the next queue.
  const descent = [20, 50, 50, 35, 20, 20, 20, 50, 50]
  const after = (ms: number) => windows(new Gradient({ max: 1_000 }), [...descent, ms]).slice(-2)
  expect(after(20)).toEqual([334, 351])
  expect(after(15)).toEqual([334, 233])
})

test('an upstream that loses capacity while it is tried is not taken for one that has become slower', () => {
  const before = [20, 50, 50, 35, 20, 20, 20, 20, 50, 50, 20, 20, 50, 50]
  // Fewer calls, and yet they take longer: only the next step shows that they wait for one another.
  const limits = windows(new Gradient({ max: 1_000 }), [...before, 60, 42, 29, 20])
  expect(limits.slice(before.length - 1)).toEqual([275, 192, 134, 93, 98])
})

test('it grows while calls wait for us, unless it is not used up, and what is usual stays known', () => {
  const { gradient, pass, excuse } = drive(256)
  pass(12_000, { takes: steady(20) })
  pass(4_000, { takes: serving(32, 20) })
  const learned = gradient.limit
  expect(learned).toBeLessThan(64)
  excuse(10_000, (limit) => limit / 2 - 1)
  expect(gradient.limit).toBe(learned)
  excuse(100, (limit) => limit)
  expect(gradient.limit / learned).toBeLessThan(1.3)
  excuse(10_000, (limit) => limit)
  expect(gradient.limit).toBe(256)
  // Found at once, not after the ten seconds that it takes without knowing.
  expect(mean(pass(4_000, { takes: serving(32, 20) }).slice(20)) / 32).toBeLessThan(1.3)
})

test('one window of slow calls shrinks nothing: two in a row do', () => {
  const stall = (ms: number) => {
    const { pass } = drive(100)
    pass(2_000, { takes: steady(20) })
    pass(ms, { takes: serving(20, 20) })
    return Math.min(...pass(400, { takes: steady(20) }))
  }
  expect(stall(110)).toBe(100)
  expect(stall(320)).toBeLessThan(80)
})

test('it never grows while less than half of it is used, nor shrinks because of latency', () => {
  const { gradient, pass } = drive(256)
  pass(1_000, { inFlight: () => 20, takes: steady(20) })
  pass(4_000, { takes: serving(64, 20) })
  const before = gradient.limit
  expect(before).toBeLessThan(100)
  const idle = { inFlight: (limit: number) => Math.floor(limit / 2) - 1 }
  // The first window may have begun before.
  const [settled, ...limits] = pass(5_000, { ...idle, takes: steady(20) }).slice(5)
  expect(new Set(limits)).toEqual(new Set([settled]))
  expect(new Set(pass(5_000, { ...idle, takes: steady(90) }))).toEqual(new Set([settled]))
  expect(pass(5_000, { inFlight: (limit) => limit / 2 + 1, takes: steady(90) }).at(-1)).toBeGreaterThan(before * 1.5)
})

test('light load teaches what is usual', () => {
  const { pass } = drive(256)
  const idle = { inFlight: () => 20 }
  pass(2_000, { ...idle, takes: steady(20) })
  pass(5_000, { ...idle, takes: steady(60) })
  expect(new Set(pass(2_000, { takes: steady(60) }))).toEqual(new Set([256]))
})

test('when all is overload it halves, once for all calls that began under the same limit, down to the least', () => {
  const { gradient, pass } = drive(256)
  pass(1_000, { takes: steady(20) })
  // 256 calls time out in a lump, as after a stall of 2 s.
  pass(400, { takes: steady(2_000), overloaded: () => true })
  expect(gradient.limit).toBe(128)
  const limits = pass(20_000, { takes: steady(2_000), overloaded: () => true })
  expect(limits.at(-1)).toBe(4)
  expect(limits.slice(0, 15)).toEqual(limits.slice(0, 15).map(() => 128))
})

test('it shrinks by half of the share that is overload, and a few do not outweigh the growth', () => {
  const shared = (share: number) => {
    const { pass } = drive(256)
    return pass(10_000, { takes: steady(20), overloaded: (_, random) => random < share })
  }
  expect(Math.min(...shared(0.02))).toBeGreaterThan(235)
  expect(mean(shared(0.1).slice(50))).toBeGreaterThan(200)
  expect(shared(0.8).at(-1)).toBe(4)
})

test('an upstream that refuses what is too much is not sent much more than it takes', () => {
  const { pass } = drive(256)
  const overloaded = (inFlight: number, random: number): boolean => random > 50 / inFlight
  const limits = pass(20_000, { takes: steady(20), overloaded }).slice(100)
  expect(mean(limits)).toBeGreaterThan(40)
  expect(mean(limits)).toBeLessThan(120)
})

test('after everything was refused it grows from the least to the whole within 6 s', () => {
  const { gradient, pass } = drive(256)
  pass(1_000, { takes: steady(20) })
  pass(5_000, { takes: steady(20), overloaded: () => true })
  expect(gradient.limit).toBe(4)
  const limits = pass(6_000, { takes: steady(20) })
  expect(limits.at(-1)).toBe(256)
  // Not at once: each window has to show that more does no harm.
  expect(limits[15]).toBeLessThan(128)
})

test('at its least no experiment can show what is usual, so that is taken for usual, and the limit grows again', () => {
  const { gradient, pass } = drive(64)
  pass(1_000, { takes: steady(5) })
  pass(5_000, { takes: steady(5), overloaded: () => true })
  expect(gradient.limit).toBe(4)
  expect(pass(10_000, { takes: steady(80) }).at(-1)).toBe(64)
})

test('the least can be set, and is never more than the greatest', () => {
  for (const [max, min, least] of [
    [100, 10, 10],
    [2, 10, 2],
    [3, undefined, 3],
  ] as const) {
    const { gradient, pass } = drive(max, min)
    pass(20_000, { takes: steady(10), overloaded: () => true })
    expect(gradient.limit).toBe(least)
  }
})

test('fewer calls than 16 change nothing, however long they are collected', () => {
  const gradient = new Gradient({ max: 50 })
  for (let i = 0; i < 15; i++) gradient.sample(i * 1_000, 10, 40, true)
  expect(gradient.limit).toBe(50)
  gradient.sample(15_000, 10, 40, true)
  expect(gradient.limit).toBe(25)
})

test('a window is 250 ms long, with a hundred calls and more 100 ms', () => {
  const changedAfter = (gapMs: number): number => {
    const gradient = new Gradient({ max: 50 })
    let now = 0
    for (; gradient.limit === 50; now += gapMs) gradient.sample(now, 0, 40, true)
    return now - gapMs
  }
  expect([changedAfter(10), changedAfter(2), changedAfter(1), changedAfter(0.5)]).toEqual([250, 198, 100, 100])
})
