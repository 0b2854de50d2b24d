import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Limiter } from '../../src/policy/limiter.ts'

type Deed = (watched: ReturnType<typeof watch>) => void

interface Setting {
  readonly max: number
  readonly queue: number
  readonly waitMs: number | undefined
}

/** A limiter with its owner's side of the story, which must agree with it after everything that happens. */
function watch({ max: first, queue, waitMs }: Setting) {
  let max = first
  const limiter = new Limiter({ max: () => max, queue, waitMs })
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
    const going = limiter.leave()
    // Who waits has the permit of whoever ends, at once: it is never free in between.
    expect(going).toBe(Math.max(0, Math.min(waiting.length, max - working + 1)))
    working += going - 1
    for (let i = 0; i < going; i++) limiter.waited(now, now - (waiting.shift() as number))
    // Nobody waits while there is a permit.
    expect(waiting.length === 0 || working >= max).toBe(true)
  }
  const giveUp = (which: number): void => {
    if (waiting.length === 0) return
    waiting.splice(which % waiting.length, 1)
    limiter.unqueue()
  }
  const resize = (to: number): void => {
    // Whoever has a permit keeps it, also while more are at work than may be.
    max = to
    expect(limiter.max).toBe(to)
  }
  const check = (): void => {
    const { busy, queued } = limiter
    expect({ busy, queued }).toEqual({ busy: working, queued: waiting.length })
    expect(queued).toBeLessThanOrEqual(queue)
  }
  const endAll = (): void => {
    while (working > 0) end()
    check()
    expect(waiting).toEqual([])
  }
  return { come, end, giveUp, resize, check, endAll, pass: (ms: number) => void (now += ms) }
}

test('no more than max come to work, no more than the bound wait, nobody overtakes and no permit is lost, though max changes', () => {
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
      weight: 1,
      arbitrary: fc.integer({ min: 1, max: 5 }).map(
        (n): Deed =>
          (watched) =>
            watched.resize(n),
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
        const goes = limiter.leave() === 1
        if (goes) limiter.waited(endsAt, endsAt - (waiting.shift()?.since ?? 0))
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

test('a limit that has grown lets in more than one, and one that has shrunk nobody until enough have left', () => {
  let max = 2
  const limiter = new Limiter({ max: () => max, queue: 10 })
  for (let i = 0; i < 7; i++) if (!limiter.enter()) limiter.queue(0)
  expect([limiter.busy, limiter.queued]).toEqual([2, 5])
  max = 4
  expect(limiter.leave()).toBe(3)
  expect([limiter.busy, limiter.queued]).toEqual([4, 2])
  max = 2
  expect([limiter.leave(), limiter.leave(), limiter.leave()]).toEqual([0, 0, 1])
  expect([limiter.busy, limiter.queued, limiter.max]).toEqual([2, 1, 2])
})

/** A limiter of one permit with a queue from which one goes every `gapMs`, up to now, and `waiting` still in it. */
function moving(gapMs: number, waiting: number): { limiter: Limiter; now: number } {
  const limiter = new Limiter({ max: 1, queue: 100, waitMs: 10_000 })
  limiter.enter()
  for (let i = 0; i < waiting + 20; i++) limiter.queue(0)
  for (let i = 1; i <= 20; i++) {
    limiter.leave()
    // Each has waited for no time: a queue that moves.
    limiter.waited(i * gapMs, 0)
  }
  return { limiter, now: 20 * gapMs }
}

test('who has less time left than those before it need is refused at once', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 50 }), (gapMs, waiting) => {
      const { limiter, now } = moving(gapMs, waiting)
      const needsMs = (waiting + 1) * gapMs
      expect(limiter.queue(now, needsMs - 0.5)).toBe(null)
      expect(limiter.queued).toBe(waiting)
      expect(limiter.queue(now, needsMs + 0.5)).toBe(10_000)
    }),
  )
})

test('the time between two that go is learned, not the last gap alone', () => {
  const { limiter, now } = moving(10, 1)
  limiter.queue(now)
  limiter.leave()
  limiter.waited(now + 90, 0)
  // One gap of 90 ms after twenty of 10 ms makes 20 ms; two gaps are to be waited for.
  expect([limiter.queue(now + 90, 39), limiter.queue(now + 90, 41)]).toEqual([null, 10_000])
})

test('a queue that has stopped moving is no place for who has less time left than it has stood still', () => {
  const { limiter, now } = moving(10, 1)
  expect([limiter.queue(now + 1_000, 1_005), limiter.queue(now + 1_000, 1_015)]).toEqual([null, 10_000])
})

test('the first of a queue may always wait: nothing is held against it that an earlier queue has taught', () => {
  const { limiter, now } = moving(1_000, 0)
  expect(limiter.queued).toBe(0)
  expect(limiter.queue(now + 60_000, 5)).toBe(10_000)
  // Nor against the next one.
  expect(limiter.queue(now + 60_002, 5)).toBe(10_000)
})

/** Has one wait in each interval for `waits[i]` ms at the least, and tells whether the queue stands in the next. */
function standings(waitMs: number | undefined, waits: readonly number[]): boolean[] {
  const limiter = new Limiter({ max: 1, queue: 1_000, waitMs })
  limiter.enter()
  limiter.queue(0)
  return waits.map((ms, i) => {
    for (const longer of [ms + 30, ms]) {
      limiter.queue(i * 500 + 1)
      limiter.leave()
      limiter.waited(i * 500 + 1, longer)
    }
    limiter.queue((i + 1) * 500)
    return limiter.standing
  })
}

test('a queue stands when the quickest way through took more than 20 ms, and no more when it took 10 ms', () => {
  expect(standings(undefined, [20, 21, 11, 10, 20, 21])).toEqual([false, true, true, false, false, true])
})

test('with a shorter wait written it stands at half of that, for nobody waits for longer', () => {
  expect(standings(20, [10, 11, 6, 5])).toEqual([false, true, true, false])
  expect(standings(70, [20, 21])).toEqual([false, true])
})

test('while the queue stands the newest goes first, so only the next permit is to be waited for', () => {
  const limiter = new Limiter({ max: 1, queue: 100, waitMs: 1_000 })
  limiter.enter()
  for (let i = 0; i < 10; i++) limiter.queue(0)
  for (let i = 1; i < 5; i++) {
    limiter.leave()
    limiter.waited(i * 100, i * 100)
  }
  expect([limiter.queue(400, 150), limiter.standing]).toEqual([null, false])
  limiter.queue(500)
  expect([limiter.queue(500, 99), limiter.queue(500, 150), limiter.standing]).toEqual([null, 1_000, true])
})
