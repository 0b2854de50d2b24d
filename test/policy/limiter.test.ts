import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Limiter, type LimiterOptions } from '../../src/policy/limiter.ts'

type Deed = (watched: ReturnType<typeof watch>) => void

/** A limiter with its owner's side of the story, which must agree with it after everything that happens. */
function watch({ max, queue, waitMs }: LimiterOptions) {
  const limiter = new Limiter({ max, queue, waitMs })
  /** Who waits, by the moment of coming. */
  const waiting: number[] = []
  let working = 0
  let now = 1_000

  const come = (): void => {
    const entered = limiter.enter()
    // Nobody overtakes one who waits.
    expect(entered).toBe(working < max && waiting.length === 0)
    if (entered) return void working++
    const patienceMs = limiter.queue(now)
    const allowed = waiting.length === queue ? [null] : waitMs === undefined ? [20, 500] : [waitMs]
    expect(allowed).toContain(patienceMs)
    if (patienceMs !== null) waiting.push(now)
  }
  const end = (): void => {
    if (working === 0) return
    const handedOn = limiter.leave()
    // Who waits has the permit of whoever ends, at once: it is never free in between.
    expect(handedOn).toBe(waiting.length > 0)
    if (handedOn) limiter.waited(now - (waiting.shift() as number))
    else working--
  }
  const giveUp = (which: number): void => {
    if (waiting.length === 0) return
    waiting.splice(which % waiting.length, 1)
    limiter.unqueue()
  }
  const check = (): void => {
    const { busy, queued } = limiter
    expect({ busy, queued }).toEqual({ busy: working, queued: waiting.length })
    expect(busy).toBeLessThanOrEqual(max)
    expect(queued).toBeLessThanOrEqual(queue)
    // Nobody waits while there is a permit.
    expect(queued === 0 || busy === max).toBe(true)
  }
  const endAll = (): void => {
    while (working > 0) end()
    check()
  }
  return { come, end, giveUp, check, endAll, pass: (ms: number) => void (now += ms) }
}

test('never more than max are at work, never more than the bound wait, nobody overtakes and no permit is lost', () => {
  const options = fc.record({
    max: fc.integer({ min: 1, max: 5 }),
    queue: fc.nat(5),
    waitMs: fc.option(fc.integer({ min: 1, max: 50 }), { nil: undefined }),
  })
  const deed = fc.oneof(
    { weight: 4, arbitrary: fc.constant<Deed>((watched) => watched.come()) },
    { weight: 3, arbitrary: fc.constant<Deed>((watched) => watched.end()) },
    {
      weight: 1,
      arbitrary: fc.nat(100).map(
        (n): Deed =>
          (watched) =>
            watched.giveUp(n),
      ),
    },
    {
      weight: 2,
      arbitrary: fc.nat(300).map(
        (n): Deed =>
          (watched) =>
            watched.pass(n),
      ),
    },
  )
  fc.assert(
    fc.property(options, fc.array(deed, { maxLength: 200 }), (written, deeds) => {
      const watched = watch(written)
      for (const one of deeds) {
        one(watched)
        watched.check()
      }
      watched.endAll()
    }),
    { numRuns: 1_000 },
  )
})

/** Serves a limiter of one permit, each work taking `workMs`, for calls that come every `gapMs`; gives their patience. */
function patienceOf(limiter: Limiter, from: number, calls: number, gapMs: number, workMs: number): number[] {
  const waiting: { since: number; until: number }[] = []
  const patience: number[] = []
  let endsAt = Infinity
  const settle = (now: number): void => {
    for (;;) {
      const next = Math.min(endsAt, ...waiting.map(({ until }) => until))
      if (next > now || next === Infinity) return
      if (next === endsAt) {
        const goes = limiter.leave()
        if (goes) limiter.waited(endsAt - (waiting.shift()?.since ?? 0))
        endsAt = goes ? endsAt + workMs : Infinity
      } else {
        waiting.splice(
          waiting.findIndex(({ until }) => until === next),
          1,
        )
        limiter.unqueue()
      }
    }
  }
  for (let i = 0; i < calls; i++) {
    const now = from + i * gapMs
    settle(now)
    if (limiter.enter()) endsAt = now + workMs
    else {
      const waitMs = limiter.queue(now)
      if (waitMs === null) continue
      patience.push(waitMs)
      waiting.push({ since: now, until: now + waitMs })
    }
  }
  settle(Infinity)
  return patience
}

test('a burst may wait for half a second, whatever its size', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 300 }), fc.integer({ min: 1, max: 20 }), (calls, workMs) => {
      const limiter = new Limiter({ max: 1, queue: 1_000 })
      expect(new Set(patienceOf(limiter, 0, calls, 0, workMs))).toEqual(new Set([500]))
    }),
  )
})

test('a queue that nobody has got through quickly for half a second stands, and who joins it may wait for 20 ms', () => {
  const limiter = new Limiter({ max: 1, queue: 1_000 })
  // Twice as many as can be served, for three seconds.
  const patience = patienceOf(limiter, 0, 600, 5, 10)
  const standing = patience.indexOf(20)
  expect(standing).toBeGreaterThan(0)
  expect(standing).toBeLessThan(250)
  expect(patience.filter((ms) => ms === 20).length).toBeGreaterThan(patience.length / 3)
})

test('after overload the next burst may wait again', () => {
  const limiter = new Limiter({ max: 1, queue: 1_000 })
  expect(patienceOf(limiter, 0, 600, 5, 10)).toContain(20)
  expect(new Set(patienceOf(limiter, 60_000, 50, 0, 5))).toEqual(new Set([500]))
})

test('a queue that empties again and again does not stand', () => {
  const limiter = new Limiter({ max: 1, queue: 1_000 })
  for (let i = 0; i < 20; i++) {
    expect(new Set(patienceOf(limiter, i * 300, 20, 0, 10))).toEqual(new Set([500]))
  }
})

test("a patience that is written is everybody's, also in a queue that stands", () => {
  const limiter = new Limiter({ max: 1, queue: 1_000, waitMs: 70 })
  expect(new Set(patienceOf(limiter, 0, 600, 5, 10))).toEqual(new Set([70]))
})
