import fc from 'fast-check'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type Alarm, Wheel } from '../../src/call/wheel.ts'

// A tick is 4 ms, a timer of Node's is good to one, and the faked clock takes one for the turn that follows.
const lateMs = 6

const faked = ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'] as const

beforeEach(() => void vi.useFakeTimers({ toFake: [...faked] }))
afterEach(() => void vi.useRealTimers())

/** One alarm as a naive model has it: when it is due, and what has become of it. */
interface Kept {
  /** What is in the past when it is set is due at once. */
  readonly due: number
  readonly alarm: Alarm
  rangAt: number | null
  cleared: boolean
}

/** A wheel with a list of all that was ever set, which must agree with it at all times. */
interface Watched {
  readonly wheel: Wheel
  set(ms: number, then?: Deed): void
  clear(which: number): void
  pass(ms: number): void
  /** The loop stands still: its clock goes on, and no timer fires. */
  stand(ms: number): void
  pending(): readonly Kept[]
  check(): void
}

type Deed = (watched: Watched) => void

function watch(startMs: number): Watched {
  // How much longer than its timers the clock has run: a loop that stood still.
  let stoodMs = startMs
  const wheel = new Wheel(() => performance.now() + stoodMs)
  const all: Kept[] = []
  /** The earliest moment at which an alarm can have rung, since the loop stood still until then. */
  let stoodUntil = 0

  const set = (ms: number, then: Deed = () => {}): void => {
    const at = wheel.now() + ms
    const due = Math.max(at, wheel.now())
    const place = all.length
    const alarm = wheel.set(at, () => {
      const kept = all[place] as Kept
      expect({ rangAt: kept.rangAt, cleared: kept.cleared }).toEqual({ rangAt: null, cleared: false })
      kept.rangAt = wheel.now()
      expect(kept.rangAt).toBeGreaterThanOrEqual(due)
      expect(kept.rangAt).toBeLessThanOrEqual(Math.max(due, stoodUntil) + lateMs)
      then(watched)
    })
    all.push({ due, alarm, rangAt: null, cleared: false })
  }
  const clear = (which: number): void => {
    const kept = all[which % (all.length || 1)]
    if (kept === undefined) return
    wheel.clear(kept.alarm)
    if (kept.rangAt === null) kept.cleared = true
  }
  const pass = (ms: number): void => void vi.advanceTimersByTime(ms)
  const stand = (ms: number): void => {
    stoodMs += ms
    stoodUntil = wheel.now()
    // As the timer does that is overdue by now.
    wheel.advance()
  }
  const pending = (): Kept[] => all.filter(({ rangAt, cleared }) => rangAt === null && !cleared)
  const check = (): void => {
    const now = wheel.now()
    for (const { due } of pending()) expect(Math.max(due, stoodUntil) + lateMs).toBeGreaterThan(now)
    expect(wheel.size).toBe(pending().length)
    // One timer serves them all; when it has fired, the turn after it is another for a moment.
    expect(vi.getTimerCount()).toBeLessThanOrEqual(2)
  }
  const watched: Watched = { set, clear, pass, stand, pending, check, wheel }
  return watched
}

const delay = fc.oneof(
  { weight: 4, arbitrary: fc.double({ min: 0, max: 100, noNaN: true }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 5_000 }) },
  // Longer than a turn of the wheel, which takes 4 s; and in the past.
  { weight: 1, arbitrary: fc.integer({ min: 4_000, max: 20_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: -10_000, max: 0 }) },
)
const which = fc.nat(1_000)
/** What an alarm does when it rings: nothing, or set or clear another. */
const ringing = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Deed>(() => {}) },
  {
    weight: 1,
    arbitrary: delay.map(
      (ms): Deed =>
        (watched) =>
          watched.set(ms),
    ),
  },
  {
    weight: 1,
    arbitrary: which.map(
      (one): Deed =>
        (watched) =>
          watched.clear(one),
    ),
  },
)
const deed = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.tuple(delay, ringing).map(
      ([ms, then]): Deed =>
        (watched) =>
          watched.set(ms, then),
    ),
  },
  {
    weight: 2,
    arbitrary: which.map(
      (one): Deed =>
        (watched) =>
          watched.clear(one),
    ),
  },
  {
    weight: 4,
    arbitrary: fc.integer({ min: 0, max: 300 }).map(
      (ms): Deed =>
        (watched) =>
          watched.pass(ms),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 0, max: 6_000 }).map(
      (ms): Deed =>
        (watched) =>
          watched.pass(ms),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 1, max: 10_000 }).map(
      (ms): Deed =>
        (watched) =>
          watched.stand(ms),
    ),
  },
)

test('each alarm rings once, never early and at most a tick late, unless it was cleared', () => {
  const start = fc.double({ min: 0, max: 1e7, noNaN: true })
  fc.assert(
    fc.property(start, fc.array(deed, { maxLength: 60 }), (startMs, deeds) => {
      vi.clearAllTimers()
      const watched = watch(startMs)
      for (const one of deeds) {
        one(watched)
        watched.check()
      }
      // What a ringing alarm sets may ring in its turn.
      while (watched.pending().length > 0) watched.pass(1_000)
      watched.check()
      expect(watched.wheel.size).toBe(0)
    }),
    { numRuns: 500 },
  )
})

test('alarms for the same moment all ring, also when one of them clears another', () => {
  const wheel = new Wheel()
  const rang: string[] = []
  wheel.set(100, () => rang.push('a'))
  const first = wheel.set(100, () => {
    rang.push('b')
    wheel.clear(last)
  })
  const last = wheel.set(100, () => {
    rang.push('c')
    wheel.clear(first)
  })
  vi.advanceTimersByTime(200)
  // One of the two clears the other, whichever comes first.
  expect(rang.length).toBe(2)
  expect(rang).toContain('a')
  expect(wheel.size).toBe(0)
})

test('clearing an alarm that has rung, or that was cleared, clears no other', () => {
  const wheel = new Wheel()
  let rang = 0
  const one = wheel.set(8, () => {})
  vi.advanceTimersByTime(50)
  const other = wheel.set(wheel.now() + 8, () => rang++)
  wheel.clear(one)
  wheel.clear(one)
  expect(wheel.size).toBe(1)
  vi.advanceTimersByTime(50)
  wheel.clear(other)
  expect([rang, wheel.size]).toEqual([1, 0])
})

test('a thousand deadlines share one timer, and those that are cleared never ring', () => {
  const wheel = new Wheel()
  const alarms = Array.from({ length: 1_000 }, (_, i) => wheel.set(1_000 + i, () => expect.unreachable()))
  expect(vi.getTimerCount()).toBe(1)
  for (const alarm of alarms) wheel.clear(alarm)
  expect(wheel.size).toBe(0)
  vi.advanceTimersByTime(10_000)
})

test('the longest duration that a config can hold is no alarm at once', () => {
  const warned = vi.spyOn(process, 'emitWarning')
  vi.useRealTimers()
  const wheel = new Wheel()
  const alarm = wheel.set(wheel.now() + 2 ** 31 - 1, () => expect.unreachable())
  wheel.clear(alarm)
  expect(warned).not.toHaveBeenCalled()
})

test('an alarm that is set anew while it rings goes on ringing', () => {
  const wheel = new Wheel()
  const rang: number[] = []
  const again = (): void => {
    rang.push(wheel.now())
    if (rang.length < 5) wheel.set(wheel.now() + 100, again)
  }
  wheel.set(wheel.now() + 100, again)
  vi.advanceTimersByTime(5_000)
  expect([rang.length, wheel.size]).toEqual([5, 0])
})
