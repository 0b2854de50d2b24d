import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Limiter } from '../../src/policy/limiter.ts'

/** What can be done to a limiter: a call comes, one at work ends, one that waits gives up, time goes by. */
const deed = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ does: 'come' as const, n: 0 }) },
  { weight: 3, arbitrary: fc.constant({ does: 'end' as const, n: 0 }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('giveUp' as const), n: fc.nat(100) }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('wait' as const), n: fc.nat(300) }) },
)

test('never more than max are at work, never more than the bound wait, nobody overtakes and no permit is lost', () => {
  const options = fc.record({
    max: fc.integer({ min: 1, max: 5 }),
    queue: fc.nat(5),
    waitMs: fc.option(fc.integer({ min: 1, max: 50 }), { nil: undefined }),
  })
  fc.assert(
    fc.property(options, fc.array(deed, { maxLength: 200 }), ({ max, queue, waitMs }, deeds) => {
      const limiter = new Limiter({ max, queue, waitMs })
      // The owner's side: who is at work, and who waits in order of coming.
      let working = 0
      const waiting: number[] = []
      let now = 1_000
      for (const { does, n } of deeds) {
        if (does === 'wait') now += n
        if (does === 'come') {
          const entered = limiter.enter()
          expect(entered).toBe(working < max && waiting.length === 0)
          if (entered) working++
          else {
            const patienceMs = limiter.queue(now)
            expect(patienceMs === null).toBe(waiting.length === queue)
            if (patienceMs !== null) {
              expect([waitMs === undefined ? [20, 500] : [waitMs]].flat(2)).toContain(patienceMs)
              waiting.push(now)
            }
          }
        }
        if (does === 'giveUp' && waiting.length > 0) {
          waiting.splice(n % waiting.length, 1)
          limiter.unqueue()
        }
        if (does === 'end' && working > 0) {
          const handedOn = limiter.leave()
          // Who waits gets the permit of whoever ends, at once: it is never free in between.
          expect(handedOn).toBe(waiting.length > 0)
          if (handedOn) limiter.waited(now - (waiting.shift() as number))
          else working--
        }
        expect({ busy: limiter.busy, queued: limiter.queued }).toEqual({ busy: working, queued: waiting.length })
        expect(working).toBeLessThanOrEqual(max)
        expect(waiting.length).toBeLessThanOrEqual(queue)
        // None waits while there is a permit.
        expect(waiting.length === 0 || working === max).toBe(true)
      }
      while (working > 0) if (!limiter.leave()) working--
      expect({ busy: limiter.busy, queued: limiter.queued }).toEqual({ busy: 0, queued: 0 })
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
      if (next > now) return
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
