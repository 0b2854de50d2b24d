import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Call, Layer, Outcome, Sink, Upstream } from '../../src/call/call.ts'
import { type FailureName, failure } from '../../src/call/failure.ts'
import { Scope } from '../../src/call/scope.ts'
import { Wheel } from '../../src/call/wheel.ts'
import { Breaker } from '../../src/policy/breaker.ts'
import { Budget } from '../../src/policy/budget.ts'
import { Gradient } from '../../src/policy/gradient.ts'
import { Limiter } from '../../src/policy/limiter.ts'
import { Instruments } from '../../src/telemetry/instruments.ts'
import { callMeter, seriesOf } from '../../src/telemetry/meters.ts'
import { startCache } from '../support/caching.ts'
import { Endpoints } from '../../src/upstream/balance.ts'
import { breaker } from '../../src/upstream/breaker.ts'
import { deadline } from '../../src/upstream/deadline.ts'
import { hedge } from '../../src/upstream/hedge.ts'
import { type Learn, limit } from '../../src/upstream/limit.ts'
import { measure } from '../../src/upstream/measure.ts'
import { redirect } from '../../src/upstream/redirect.ts'
import { retry } from '../../src/upstream/retry.ts'
import { timeout } from '../../src/upstream/timeout.ts'

/** A layer with nothing to do, on a wheel, and what it still holds: alarms, permits, calls that it counts. */
interface Made {
  readonly layer: Layer
  readonly held: () => number
}

const origin = 'http://127.0.0.1:1'

const layers: Readonly<Record<string, (wheel: Wheel) => Made>> = {
  measure() {
    const instruments = new Instruments(seriesOf([], ['o']))
    const active = () => instruments.read().filter(({ name }) => name.includes('active'))
    return {
      layer: measure(callMeter(instruments, 'o')),
      held: () => active().reduce((sum, { value }) => sum + Math.abs(value), 0),
    }
  },
  limit(wheel) {
    const limiter = new Limiter({ max: 100, queue: 100 })
    return { layer: limit(limiter, wheel), held: () => limiter.busy + limiter.queued }
  },
  'limit, which is learned'(wheel) {
    const gradient = new Gradient({ max: 100 })
    const limiter = new Limiter({ max: () => gradient.limit, queue: 100 })
    const learn: Learn = (now, tookMs, inFlight, { ok }) => gradient.sample(now, tookMs, inFlight, !ok)
    return { layer: limit(limiter, wheel, learn), held: () => limiter.busy + limiter.queued }
  },
  'limit, with a queue'(wheel) {
    const limiter = new Limiter({ max: 1, queue: 100, waitMs: 60_000 })
    return { layer: limit(limiter, wheel), held: () => limiter.busy + limiter.queued }
  },
  'balance over one endpoint': (wheel) => balanced(wheel, 1),
  'balance over three endpoints': (wheel) => balanced(wheel, 3),
  'retry, with a budget that is used up': (wheel) => retried(wheel),
  hedge: (wheel) => ({ layer: hedge(wheel, { ...hedging, afterMs: () => 60_000 }), held: () => 0 }),
  'hedge, while nothing is known': (wheel) => ({ layer: hedge(wheel, hedging), held: () => 0 }),
  breaker(wheel) {
    const policy = new Breaker({ failures: 1, of: 1_000, within: 10_000, open: 5_000 }, Math.random)
    return {
      layer: breaker(
        policy,
        () => wheel.now(),
        () => {},
      ),
      held: () => 0,
    }
  },
  'deadline, which there is none of': () => ({ layer: deadline('grpc-timeout'), held: () => 0 }),
  timeout: () => ({ layer: timeout(60_000), held: () => 0 }),
  redirect: () => ({ layer: redirect(origin, 3), held: () => 0 }),
  'all of them'(wheel) {
    const { measure: a, limit: b, 'balance over three endpoints': c, timeout: d, redirect: e } = layers
    const made = [a, b, c, d, e].map((make) => (make as (wheel: Wheel) => Made)(wheel))
    return {
      layer: (next) => made.reduceRight((inner, { layer }) => layer(inner), next),
      held: () => made.reduce((sum, { held }) => sum + held(), 0),
    }
  },
}

// They say of a call with whom it may be shared, and of a reply where it came from: so nothing passes untouched.
const keeping: typeof layers = {
  'cache, of which nothing may be kept': () => ({ layer: startCache().layer, held: () => 0 }),
  'cache, by a rule, and calls that are shared'(wheel) {
    const { layer, store } = startCache({ ttl: 60_000 }, { wheel })
    // A law is tried with the same call many times over: what was kept of the time before is none of it.
    const emptied: Layer = (next) => (call, scope) => {
      store.delete('GET o /x')
      return layer(next)(call, scope)
    }
    return { layer: emptied, held: () => 0 }
  },
}

function balanced(wheel: Wheel, count: number): Made {
  const endpoints = new Endpoints(() => wheel.now(), Math.random, { failures: 5, for: 30_000 })
  const keys = Array.from({ length: count }, (_, place) => String(place))
  return {
    layer(next) {
      endpoints.set(keys, () => ({ upstream: next, destroy: () => Promise.resolve() }))
      return endpoints.upstream
    },
    held: () => endpoints.list().reduce((sum, { inFlight }) => sum + inFlight, 0),
  }
}

/** A retry layer that has nothing to do, for there is no budget left for it. */
function retried(wheel: Wheel): Made {
  const budget = new Budget()
  for (let i = 0; i < 3; i++) budget.take(wheel.now(), 0)
  const none = { endpoints: () => 1, onRetry: () => {}, random: Math.random }
  return { layer: retry(budget, { more: 1, share: 0, now: () => wheel.now(), ...none }), held: () => 0 }
}

const hedging = { afterMs: () => null, allowed: () => true, took: () => {}, onHedge: () => {} }

const call: Call = { method: 'GET', path: '/x', headers: ['a', 'b'], body: null, accept: () => true, decode: 'json' }

/** An upstream that waits for the test to say what it comes to, or for the end of its scope. */
function scripted() {
  const calls: { call: Call; scope: Scope; answer: (outcome: Outcome) => void }[] = []
  const upstream: Upstream = (made, scope) =>
    new Promise((resolve) => {
      const watcher = (why: FailureName): void => resolve(failure(why))
      const answer = (outcome: Outcome): void => {
        scope.unwatch(watcher)
        resolve(outcome)
      }
      calls.push({ call: made, scope, answer })
      scope.watch(watcher)
    })
  return { upstream, calls }
}

const status = fc.integer({ min: 200, max: 599 })
const headers = fc.dictionary(fc.constantFrom('etag', 'retry-after', 'x'), fc.string())
const reply = fc.record({ ok: fc.constant(true as const), status, headers, body: fc.uint8Array() })
const outcome: fc.Arbitrary<Outcome> = fc.oneof(
  reply,
  fc
    .constantFrom<FailureName>('connection_refused', 'http_response_timeout', 'invalid_body', 'cancelled')
    .map((name) => failure(name)),
  reply.map((one) => ({ ok: false as const, error: 'unaccepted_status' as const, reply: one })),
)

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

forEachLayer((name, make) => {
  test(`${name} passes a call down and what becomes of it up, untouched, when it has nothing to do`, async () => {
    await fc.assert(
      fc.asyncProperty(outcome, async (given) => {
        const wheel = new Wheel()
        const { layer, held } = make(wheel)
        const { upstream, calls } = scripted()
        const scope = new Scope(wheel, Infinity)
        const settled = layer(upstream)(call, scope)
        await turn()
        expect(calls.length).toBe(1)
        expect(calls[0]?.call).toBe(call)
        calls[0]?.answer(given)
        expect(await settled).toBe(given)
        expect([held(), wheel.size, scope.size]).toEqual([0, 0, 0])
      }),
    )
  })

  test(`${name} passes head and body of a stream on, and has it resumed`, async () => {
    const wheel = new Wheel()
    const { layer, held } = make(wheel)
    const { upstream, calls } = scripted()
    const scope = new Scope(wheel, Infinity)
    const came: unknown[] = []
    const sink: Sink = {
      head: (...head) => void came.push(head),
      chunk: (bytes) => came.push(bytes) < 3,
    }
    const settled = layer(upstream)({ ...call, sink }, scope)
    await turn()
    const resume = (): void => void came.push('resumed')
    const below = calls[0]?.call.sink as Sink
    below.head(200, { a: 'b' }, resume)
    const [one, other] = [Uint8Array.of(1), Uint8Array.of(2)]
    expect([below.chunk(one), below.chunk(other)]).toEqual([true, false])
    expect(came).toEqual([[200, { a: 'b' }, resume], one, other])
    calls[0]?.answer({ ok: true, status: 200, headers: {}, body: new Uint8Array() })
    expect(await settled).toMatchObject({ ok: true, status: 200 })
    expect([held(), wheel.size, scope.size]).toEqual([0, 0, 0])
  })
}, layers)

forEachLayer(
  (name, make) => {
    test(`${name} settles when its scope ends, with the reason, and leaves nothing behind`, async () => {
      for (const why of ['cancelled', 'http_response_timeout', 'overloaded'] as const) {
        const wheel = new Wheel()
        const { layer, held } = make(wheel)
        const scope = new Scope(wheel, Infinity)
        const settled = layer(scripted().upstream)(call, scope)
        await turn()
        scope.close(why)
        expect(await settled).toMatchObject({ ok: false, error: why })
        expect([held(), wheel.size, scope.size]).toEqual([0, 0, 0])
      }
    })

    test(`${name} settles at once within a scope that has ended`, async () => {
      const wheel = new Wheel()
      const { layer, held } = make(wheel)
      const scope = new Scope(wheel, Infinity)
      scope.close('cancelled')
      expect(await layer(scripted().upstream)(call, scope)).toMatchObject({ ok: false, error: 'cancelled' })
      expect([held(), wheel.size, scope.size]).toEqual([0, 0, 0])
    })

    test(`${name} settles all of many calls, whatever becomes of them in whatever order, and leaves nothing behind`, async () => {
      const deed = fc.record({
        does: fc.constantFrom('call', 'answer', 'answer', 'close', 'turn'),
        at: fc.nat(1_000),
        outcome,
      })
      await fc.assert(
        fc.asyncProperty(fc.array(deed, { maxLength: 60 }), async (deeds) => {
          const wheel = new Wheel()
          const { layer, held } = make(wheel)
          const { upstream, calls } = scripted()
          const layered = layer(upstream)
          const outer = new Scope(wheel, Infinity)
          const scopes: Scope[] = []
          const settling: PromiseLike<Outcome>[] = []
          for (const { does, at, outcome: given } of deeds) {
            if (does === 'call') {
              const scope = outer.within(60_000)
              scopes.push(scope)
              settling.push(layered(call, scope))
            }
            if (does === 'answer') calls[at % (calls.length || 1)]?.answer(given)
            if (does === 'close') scopes[at % (scopes.length || 1)]?.close()
            if (does === 'turn') await turn()
          }
          outer.close()
          expect((await Promise.all(settling)).length).toBe(settling.length)
          expect([held(), wheel.size, outer.size]).toEqual([0, 0, 0])
          expect(scopes.map(({ size }) => size)).toEqual(scopes.map(() => 0))
        }),
        { numRuns: 50 },
      )
    })
  },
  { ...layers, ...keeping },
)

function forEachLayer(laws: (name: string, make: (wheel: Wheel) => Made) => void, made: typeof layers): void {
  for (const [name, make] of Object.entries(made)) laws(name, make)
}

test('timeout ends an attempt that takes longer, and only the attempt', async () => {
  const wheel = new Wheel()
  const { upstream } = scripted()
  const scope = new Scope(wheel, wheel.now() + 60_000)
  const began = performance.now()
  expect(await timeout(50)(upstream)(call, scope)).toMatchObject({ ok: false, error: 'http_response_timeout' })
  expect(performance.now() - began).toBeGreaterThanOrEqual(50)
  expect([scope.ended, scope.size, wheel.size]).toEqual([null, 0, 1])
})

test('timeout bounds only the wait for the head of a stream, and lifts what bounds the request', async () => {
  const wheel = new Wheel()
  const { upstream, calls } = scripted()
  const scope = new Scope(wheel, wheel.now() + 60_000)
  const sink: Sink = { head: () => {}, chunk: () => true }
  const settled = timeout(60_000)(upstream)({ ...call, sink }, scope)
  calls[0]?.call.sink?.head(200, {}, () => {})
  expect([scope.leftMs(), calls[0]?.scope.leftMs(), wheel.size]).toEqual([Infinity, Infinity, 0])
  scope.close()
  expect(await settled).toMatchObject({ error: 'cancelled' })
})

test('limit lets in as many as it may, in the order of coming, and refuses when the queue is full', async () => {
  const wheel = new Wheel()
  const limiter = new Limiter({ max: 2, queue: 2, waitMs: 60_000 })
  const { upstream, calls } = scripted()
  const limited = limit(limiter, wheel)(upstream)
  const scope = new Scope(wheel, Infinity)
  const paths = ['/0', '/1', '/2', '/3', '/4']
  const settling = paths.map((path) => limited({ ...call, path }, scope))
  expect(await settling[4]).toMatchObject({ ok: false, error: 'connection_limit_reached' })
  const reached = (): string[] => calls.map(({ call: { path } }) => path)
  expect(reached()).toEqual(['/0', '/1'])
  const whole: Outcome = { ok: true, status: 200, headers: {}, body: new Uint8Array() }
  calls[1]?.answer(whole)
  await turn()
  expect(reached()).toEqual(['/0', '/1', '/2'])
  calls[0]?.answer(failure('connection_refused'))
  await turn()
  expect(reached()).toEqual(['/0', '/1', '/2', '/3'])
  for (const { answer } of calls) answer(whole)
  expect((await Promise.all(settling)).map(({ ok }) => ok)).toEqual([false, true, true, true, false])
  expect([limiter.busy, limiter.queued, wheel.size, scope.size]).toEqual([0, 0, 0, 0])
})

test('limit refuses who has waited for long enough, and never sends its call', async () => {
  const wheel = new Wheel()
  const limiter = new Limiter({ max: 1, queue: 5, waitMs: 30 })
  const { upstream, calls } = scripted()
  const limited = limit(limiter, wheel)(upstream)
  const scope = new Scope(wheel, Infinity)
  const first = limited(call, scope)
  const began = performance.now()
  expect(await limited(call, scope)).toMatchObject({ ok: false, error: 'connection_limit_reached' })
  expect(performance.now() - began).toBeGreaterThanOrEqual(30)
  expect([limiter.busy, limiter.queued, calls.length]).toEqual([1, 0, 1])
  scope.close()
  await first
  expect([limiter.busy, wheel.size, calls.length]).toEqual([0, 0, 1])
})

test('limit is patient while the queue moves: only one that nobody gets through quickly is cut short', async () => {
  let now = 0
  const wheel = new Wheel(() => now)
  const limiter = new Limiter({ max: 1, queue: 10 })
  const { upstream, calls } = scripted()
  const limited = limit(limiter, wheel)(upstream)
  const scope = new Scope(wheel, Infinity)
  const whole: Outcome = { ok: true, status: 200, headers: {}, body: new Uint8Array() }
  const settling = [limited(call, scope), limited(call, scope)]
  /** Ends the call at work after so long; the one that waited goes, and another comes to wait. */
  const endAfter = async (ms: number): Promise<void> => {
    now += ms
    wheel.advance()
    calls.at(-1)?.answer(whole)
    await turn()
    settling.push(limited(call, scope))
  }
  // There is somebody waiting for all of a second, but nobody for long.
  for (let i = 0; i < 100; i++) await endAfter(10)
  expect(limiter.queued).toBe(1)
  await endAfter(100)
  await endAfter(0)
  scope.close()
  const outcomes = await Promise.all(settling)
  expect(outcomes.filter((one) => !one.ok && one.error === 'connection_limit_reached')).toEqual([])
  expect([limiter.busy, limiter.queued, wheel.size]).toEqual([0, 0, 0])
})

test('limit gives the permit of a call that ends to nobody whose scope has ended', async () => {
  const wheel = new Wheel()
  const limiter = new Limiter({ max: 1, queue: 5, waitMs: 60_000 })
  const { upstream, calls } = scripted()
  const limited = limit(limiter, wheel)(upstream)
  const [one, gone, other] = [0, 1, 2].map(() => new Scope(wheel, Infinity)) as [Scope, Scope, Scope]
  const settling = [limited(call, one), limited(call, gone), limited(call, other)]
  gone.close()
  one.close()
  await turn()
  // The permit has gone past the one that left.
  expect(calls.map(({ scope }) => scope)).toEqual([one, other])
  other.close()
  expect((await Promise.all(settling)).map(({ ok }) => ok)).toEqual([false, false, false])
  expect([limiter.busy, limiter.queued, wheel.size]).toEqual([0, 0, 0])
})

/** A limit layer over a scripted upstream, with a clock of its own, and the paths of the calls that have got through. */
function limited(max: () => number, options: { waitMs?: number; learn?: Learn } = {}) {
  let now = 0
  const wheel = new Wheel(() => now)
  const limiter = new Limiter({ max, queue: 100, waitMs: options.waitMs })
  const { upstream, calls } = scripted()
  const layered = limit(limiter, wheel, options.learn)(upstream)
  const whole: Outcome = { ok: true, status: 200, headers: {}, body: new Uint8Array() }
  return {
    limiter,
    wheel,
    calls,
    reached: (): string[] => calls.map(({ call: { path } }) => path),
    ask: (path: string, scope = new Scope(wheel, Infinity)) => layered({ ...call, path }, scope),
    /** Lets time pass, and then the call that got through as the so-manieth end. */
    answer: async (at: number, ms = 0, outcome: Outcome = whole): Promise<void> => {
      now += ms
      wheel.advance()
      calls[at]?.answer(outcome)
      await turn()
    },
  }
}

test('limit lets the newest in first while its queue stands, and who came before it when that has left', async () => {
  const { limiter, wheel, ask, answer, reached } = limited(() => 1, { waitMs: 5_000 })
  const settling = ['/0', '/1', '/2'].map((path) => ask(path))
  // Nobody gets through quickly for all of an interval.
  await answer(0, 400)
  settling.push(ask('/3'))
  await answer(1, 200)
  settling.push(ask('/4'))
  expect([limiter.standing, reached()]).toEqual([true, ['/0', '/1', '/2']])
  const gone = new Scope(wheel, Infinity)
  settling.push(ask('/5'), ask('/6', gone), ask('/7'))
  gone.close()
  for (let i = 2; i < 7; i++) await answer(i, 100)
  expect(reached()).toEqual(['/0', '/1', '/2', '/7', '/5', '/4', '/3'])
  expect((await Promise.all(settling)).filter(({ ok }) => !ok)).toEqual([
    failure('cancelled', 'no permit within 5000 ms'),
  ])
  expect([limiter.busy, limiter.queued, wheel.size]).toEqual([0, 0, 0])
})

test('limit knows a queue that stands by its oldest, though the newest get through quickly', async () => {
  const { limiter, wheel, ask, answer, reached, calls } = limited(() => 1, { waitMs: 5_000 })
  const settling = ['/0', '/1', '/2'].map((path) => ask(path))
  await answer(0, 400)
  settling.push(ask('/old'))
  await answer(1, 200)
  for (let i = 0; i < 120; i++) {
    settling.push(ask('/new'))
    await answer(calls.length - 1, 5)
  }
  expect([limiter.standing, reached().includes('/old')]).toEqual([true, false])
  while (limiter.busy > 0) await answer(calls.length - 1)
  expect((await Promise.all(settling)).every(({ ok }) => ok)).toBe(true)
  expect([limiter.busy, limiter.queued, wheel.size]).toEqual([0, 0, 0])
})

test('limit lets in several at once when it has grown, and nobody while more are at work than may be', async () => {
  let max = 1
  const { limiter, wheel, ask, answer, reached } = limited(() => max, { waitMs: 5_000 })
  const settling = ['/0', '/1', '/2', '/3', '/4', '/5'].map((path) => ask(path))
  max = 3
  await answer(0)
  expect(reached()).toEqual(['/0', '/1', '/2', '/3'])
  max = 1
  await answer(1)
  await answer(2)
  expect([reached().length, limiter.busy]).toEqual([4, 1])
  for (let i = 3; i < 6; i++) await answer(i)
  expect(reached()).toEqual(['/0', '/1', '/2', '/3', '/4', '/5'])
  expect((await Promise.all(settling)).every(({ ok }) => ok)).toBe(true)
  expect([limiter.busy, limiter.queued, wheel.size]).toEqual([0, 0, 0])
})

test('limit refuses at once who has less time left than the queue will take', async () => {
  const { limiter, wheel, ask, answer, calls } = limited(() => 1, { waitMs: 5_000 })
  const settling = ['/0', '/1', '/2', '/3'].map((path) => ask(path))
  await answer(0, 100)
  await answer(1, 100)
  // One waits, and one goes every 100 ms.
  const late = new Scope(wheel, wheel.now() + 199)
  expect(await ask('/late', late)).toMatchObject({ ok: false, error: 'connection_limit_reached' })
  expect(late.ended).toBe(null)
  const inTime = new Scope(wheel, wheel.now() + 250)
  settling.push(ask('/in-time', inTime))
  for (const [at, ms] of [
    [2, 100],
    [3, 100],
    [4, 40],
  ] as const)
    await answer(at, ms)
  expect((await Promise.all(settling)).every(({ ok }) => ok)).toBe(true)
  expect([calls.length, limiter.busy, limiter.queued]).toEqual([5, 0, 0])
  for (const scope of [late, inTime]) scope.close()
  expect(wheel.size).toBe(0)
})

test('limit tells how long a call took from its permit on, and how many were at work when it began', async () => {
  const learned: unknown[] = []
  const learn: Learn = (now, tookMs, inFlight, { ok }) => void learned.push([now, tookMs, inFlight, ok])
  const { limiter, wheel, ask, answer } = limited(() => 2, { waitMs: 5_000, learn })
  const settling = ['/0', '/1', '/2'].map((path) => ask(path))
  await answer(0, 30)
  await answer(1, 10, failure('http_response_timeout'))
  // It has waited for 30 ms, and taken 20.
  await answer(2, 10)
  expect(learned).toEqual([
    [30, 30, 1, true],
    [40, 40, 2, false],
    [50, 20, 2, true],
  ])
  await Promise.all(settling)
  expect([limiter.busy, wheel.size]).toEqual([0, 0])
})

test('limit learns nothing from a call that was given up, nor from a stream or its own refusal', async () => {
  const learned: unknown[] = []
  const { limiter, wheel, ask, answer, calls } = limited(() => 1, {
    waitMs: 10,
    learn: (...all) => void learned.push(all),
  })
  const scope = new Scope(wheel, Infinity)
  const first = ask('/0', scope)
  const waits = ask('/1')
  await answer(9, 100)
  expect(await waits).toMatchObject({ error: 'connection_limit_reached' })
  scope.close()
  expect(await first).toMatchObject({ error: 'cancelled' })
  const sink: Sink = { head: () => {}, chunk: () => true }
  const streamed = limit(limiter, wheel, (...all) => void learned.push(all))(() => ask('/2'))
  const stream = streamed({ ...call, sink }, new Scope(wheel, Infinity))
  expect([limiter.busy, calls.length]).toEqual([1, 1])
  await answer(9, 100)
  await stream
  expect(learned).toEqual([])
  expect([limiter.busy, limiter.queued, wheel.size]).toEqual([0, 0, 0])
})

test('limit lets in who waits by a limit that grows with the very call that ends', async () => {
  let max = 1
  const { ask, answer, reached } = limited(() => max, { waitMs: 5_000, learn: () => void (max = 2) })
  const settling = ['/0', '/1', '/2'].map((path) => ask(path))
  await answer(0)
  expect(reached()).toEqual(['/0', '/1', '/2'])
  for (const at of [1, 2]) await answer(at)
  await Promise.all(settling)
})

test('balance keeps calls from an endpoint that fails, but not from one whose callers left', async () => {
  const good: Outcome = { ok: true, status: 200, headers: {}, body: new Uint8Array() }
  const callsTo = async (first: FailureName): Promise<number> => {
    let calls = 0
    const endpoint: Upstream = () => Promise.resolve(calls++ === 0 ? failure(first) : good)
    const destroy = (): Promise<void> => Promise.resolve()
    // Time stands still, and of two that are alike the first that is drawn is chosen.
    const endpoints = new Endpoints(
      () => 0,
      () => 0,
      null,
    )
    const other: Upstream = () => Promise.resolve(good)
    endpoints.set(['first', 'other'], (key) => ({ upstream: key === 'first' ? endpoint : other, destroy }))
    for (let i = 0; i < 10; i++) await endpoints.upstream(call, new Scope(new Wheel(), Infinity))
    return calls
  }
  expect(await callsTo('connection_refused')).toBe(1)
  expect(await callsTo('cancelled')).toBe(10)
})

test('measure counts each call once, by what became of it', async () => {
  const instruments = new Instruments(seriesOf([], ['o']))
  const { upstream, calls } = scripted()
  const measured = measure(callMeter(instruments, 'o'))(upstream)
  const scope = new Scope(new Wheel(), Infinity)
  const settling = [measured(call, scope), measured(call, scope), measured(call, scope)]
  const read = (): Record<string, number> => {
    const moved = instruments.read().filter(({ value }) => value !== 0)
    return Object.fromEntries(
      moved.map(({ name, attributes, value }) => [`${name} ${attributes['error.type'] ?? ''}`, value]),
    )
  }
  expect(read()).toEqual({ 'oneloop.calls.active ': 3 })
  calls[0]?.answer({ ok: true, status: 200, headers: {}, body: new Uint8Array() })
  calls[1]?.answer(failure('dns_error'))
  await Promise.all(settling.slice(0, 2))
  expect(read()).toEqual({ 'oneloop.calls.active ': 1, 'oneloop.calls ': 1, 'oneloop.calls dns_error': 1 })
  scope.close()
  await settling[2]
  expect(read()).toEqual({ 'oneloop.calls ': 1, 'oneloop.calls dns_error': 1, 'oneloop.calls cancelled': 1 })
})
