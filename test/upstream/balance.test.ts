import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Call, Outcome, Upstream } from '../../src/call/call.ts'
import { failure } from '../../src/call/failure.ts'
import { Scope } from '../../src/call/scope.ts'
import { Wheel } from '../../src/call/wheel.ts'
import type { Ejection } from '../../src/policy/outlier.ts'
import { Endpoints } from '../../src/upstream/balance.ts'
import { startGateway } from '../support/gateway.ts'
import { startJsonOrigin, startOrigin } from '../support/origin.ts'
import { ask } from './setting.ts'

const routes = `
routes:
  - match: GET /
    steps: { x: { call: GET o /x } }`

test('calls go to all endpoints of an upstream, each below its base path', async () => {
  await using one = await startJsonOrigin({ '/x': 1 })
  await using other = await startJsonOrigin({ '/base/x': 2 })
  await using gateway = await startGateway(`
upstreams:
  o: { endpoints: ["${one.url}", "${other.url}/base/"] }
${routes}`)
  const answers = await Promise.all(Array.from({ length: 40 }, () => ask(gateway.url)))
  expect(new Set(answers.map(({ text }) => text))).toEqual(new Set(['{"x":1}', '{"x":2}']))
  await gateway.idle()
  expect(one.requests.length + other.requests.length).toBe(40)
})

test.each([
  ['refuses connections', 'connection_refused', () => startOrigin(() => {})],
  ['breaks off', 'connection_terminated', () => startOrigin((_request, socket) => void socket.destroy())],
])('U1: an endpoint that %s costs a request, and then the other has the calls', async (_, error, start) => {
  await using good = await startJsonOrigin({ '/x': 1 })
  await using bad = await start()
  const url = error === 'connection_refused' ? 'http://127.0.0.1:1' : bad.url
  await using gateway = await startGateway(`
upstreams:
  o: { endpoints: ["${url}", "${good.url}"] }
${routes}`)
  for (let i = 0; i < 50; i++) await ask(gateway.url)
  await gateway.idle()
  // Of two that nothing is known of either may be chosen first.
  expect(gateway.read('oneloop.calls', { upstream: 'o', 'error.type': error })).toBeLessThanOrEqual(1)
  expect(good.requests.length).toBeGreaterThanOrEqual(49)
})

test('an upstream whose name cannot be resolved fails the step', async () => {
  // No name may have a label that long, so no server is asked for it.
  await using gateway = await startGateway(`
upstreams:
  o: { endpoints: ["http://${'a'.repeat(64)}.invalid"] }
${routes}`)
  const answer = await ask(gateway.url)
  expect(answer).toMatchObject({ status: 502, json: { error: 'dns_error' } })
  expect(answer.headers.get('proxy-status')).toBe('oneloop;error=dns_error')
})

test('U1: an endpoint that fails many calls at once is ejected, and no call comes to it while it is out', async () => {
  // Nothing is answered before all have come, so that none knows of another's failure when its endpoint is chosen.
  const all = Promise.withResolvers<void>()
  const arrive = (): Promise<void> => {
    if (good.requests.length + bad.requests.length === 40) all.resolve()
    return all.promise
  }
  await using good = await startJsonOrigin({ '/x': () => arrive() })
  await using bad = await startOrigin((_request, socket) => arrive().then(() => void socket.destroy()))
  await using gateway = await startGateway(`
upstreams:
  o: { endpoints: ["${bad.url}", "${good.url}"] }
${routes}`)
  await Promise.all(Array.from({ length: 40 }, () => ask(gateway.url)))
  const before = bad.requests.length
  expect(before).toBeGreaterThanOrEqual(5)
  await Promise.all(Array.from({ length: 40 }, () => ask(gateway.url)))
  expect(bad.requests.length).toBe(before)
})

const call: Call = { method: 'GET', path: '/x', headers: [], body: null, accept: () => true, decode: 'json' }
const good: Outcome = { ok: true, status: 200, headers: {}, body: new Uint8Array() }
const bad = failure('connection_refused')
const status = (code: number, headers = {}): Outcome => ({
  ok: false,
  error: 'unaccepted_status',
  reply: { ok: true, status: code, headers, body: new Uint8Array() },
})

// What behaviour.md has.
const usual: Ejection = { failures: 5, for: 30_000 }

/** Endpoints that answer when the test says so, at a time of its own, with all that is told of them. */
function setting(keys: readonly string[], random: () => number = () => 0, ejection: Ejection | null = usual) {
  const clock = { now: 1_000 }
  const told: string[] = []
  const under = new Map<string, ((outcome: Outcome) => void)[]>()
  const endpoints = new Endpoints(
    () => clock.now,
    random,
    ejection,
    (key, ejected) => void told.push(`${key} ${ejected ? 'out' : 'in'}`),
  )
  const make = (key: string) => {
    told.push(`${key} made`)
    const upstream: Upstream = () => new Promise((resolve) => under.set(key, [...(under.get(key) ?? []), resolve]))
    const destroy = (): Promise<void> => Promise.resolve(void told.push(`${key} destroyed`))
    return { upstream, destroy }
  }
  const scope = new Scope(new Wheel(() => clock.now), Infinity)
  const send = (more: Partial<Call> = {}): PromiseLike<Outcome> => endpoints.upstream({ ...call, ...more }, scope)
  const set = (...to: string[]): void => endpoints.set(to, make)
  /** Has the oldest call to an endpoint come to something. */
  const answer = async (key: string, outcome: Outcome): Promise<void> => {
    const [oldest, ...others] = under.get(key) ?? []
    under.set(key, others)
    oldest?.(outcome)
    await Promise.resolve()
    await Promise.resolve()
  }
  /** Sends a call that avoids all others, and has it come to something after a while; gives where it went. */
  const sendTo = async (key: string, outcome: Outcome, ms = 0, more: Partial<Call> = {}): Promise<string> => {
    const tried = new Set(endpoints.list().flatMap((one) => (one.key === key ? [] : [one.key])))
    const before = [...under].map(([one, { length }]) => [one, length] as const)
    void send({ ...more, tried })
    const lengths = new Map(before)
    const [went = ''] = [...under].find(([one, { length }]) => length > (lengths.get(one) ?? 0)) ?? []
    clock.now += ms
    await answer(went, outcome)
    return went
  }
  const fail = async (key: string, times = 5): Promise<void> => {
    for (let i = 0; i < times; i++) await sendTo(key, bad)
  }
  const take = (): string[] => told.splice(0)
  const out = (): string[] => endpoints.list().flatMap(({ key, ejected }) => (ejected ? [key] : []))
  set(...keys)
  take()
  return { endpoints, clock, set, send, answer, sendTo, fail, take, out, under }
}

test('a call goes to an endpoint that it was not sent to before, which is then noted', async () => {
  const { send, sendTo } = setting(['a', 'b', 'c'])
  expect([await sendTo('c', good), await sendTo('a', good), await sendTo('b', good)]).toEqual(['c', 'a', 'b'])
  const tried = new Set<string>()
  for (const size of [1, 2, 3, 3]) {
    void send({ tried })
    expect(tried.size).toBe(size)
  }
  expect([...tried].toSorted()).toEqual(['a', 'b', 'c'])
})

test('a call of the only endpoint asks neither clock nor dice', async () => {
  let asked = 0
  const endpoints = new Endpoints(() => asked++, expect.unreachable, usual)
  endpoints.set(['a'], () => ({ upstream: () => Promise.resolve(good), destroy: () => Promise.resolve() }))
  asked = 0
  expect(await endpoints.upstream(call, new Scope(new Wheel(), Infinity))).toBe(good)
  expect(asked).toBe(0)
})

test('one endpoint has every call, whatever it answers and checks find, and the dice are not asked', async () => {
  const { endpoints, send, answer, under } = setting(['a'], expect.unreachable)
  const tried = new Set<string>()
  for (let i = 0; i < 20; i++) {
    const settled = send({ tried })
    expect(endpoints.list()).toEqual([{ key: 'a', inFlight: 1, ejected: false, healthy: true }])
    await answer('a', bad)
    expect(await settled).toBe(bad)
  }
  expect([...tried]).toEqual(['a'])
  expect(endpoints.list()).toEqual([{ key: 'a', inFlight: 0, ejected: false, healthy: true }])
  endpoints.judge('a', false)
  void send()
  expect([under.get('a')?.length, endpoints.out]).toEqual([1, 1])
})

test('without an endpoint a call fails as one whose name is not known', async () => {
  const { endpoints, send, set } = setting([])
  expect(await send()).toEqual(failure('dns_error', 'no address is known'))
  expect([endpoints.size, endpoints.list()]).toEqual([0, []])
  set('a', 'b')
  expect(endpoints.size).toBe(2)
})

test('five failures eject an endpoint for 30 s; then it is back, and both are told', async () => {
  const { clock, fail, take, out, sendTo, send } = setting(['a', 'b', 'c'])
  await fail('a', 4)
  expect(out()).toEqual([])
  await fail('a', 1)
  expect([out(), take()]).toEqual([['a'], ['a out']])
  expect(await sendTo('a', good)).not.toBe('a')
  clock.now += 29_999
  expect([await sendTo('a', good), take()]).toEqual(['b', []])
  clock.now += 1
  void send()
  expect(take()).toEqual(['a in'])
  expect(await sendTo('a', good)).toBe('a')
})

test('how often and for how long is as is written, and without an ejection there is none', async () => {
  const { clock, fail, out } = setting(['a', 'b'], () => 0, { failures: 2, for: 700 })
  await fail('a', 2)
  expect(out()).toEqual(['a'])
  clock.now += 700
  expect(out()).toEqual([])
  const never = setting(['a', 'b'], () => 0, null)
  await never.fail('a', 50)
  expect(never.out()).toEqual([])
})

test('who is told of an ejection or its end finds how many are out by then', async () => {
  const seen: number[] = []
  let now = 0
  const endpoints = new Endpoints(
    () => now,
    () => 0,
    usual,
    () => void seen.push(endpoints.out),
  )
  const upstream: Upstream = () => Promise.resolve(bad)
  const set = (keys: string[]): void => endpoints.set(keys, () => ({ upstream, destroy: () => Promise.resolve() }))
  set(['a', 'b', 'c', 'd'])
  const scope = new Scope(new Wheel(() => now), Infinity)
  for (const key of ['a', 'b']) {
    const tried = (): Set<string> => new Set(['a', 'b', 'c', 'd'].filter((one) => one !== key))
    for (let i = 0; i < 5; i++) await endpoints.upstream({ ...call, tried: tried() }, scope)
    now += 10
  }
  expect(seen.splice(0)).toEqual([1, 2])
  endpoints.judge('c', false)
  expect([endpoints.out, seen]).toEqual([3, []])
  set(['b', 'c', 'd'])
  expect(seen.splice(0)).toEqual([2])
  now += 30_000
  endpoints.list()
  expect(seen).toEqual([1])
})

test('that an ejection is over is seen by who looks, too', async () => {
  const { clock, fail, take, out } = setting(['a', 'b'])
  await fail('a')
  clock.now += 30_000
  expect([out(), take()]).toEqual([[], ['a out', 'a in']])
})

test('an overload, a call that was given up and a refusal of ours neither eject nor clear', async () => {
  const neutral = [status(429), status(503, { 'retry-after': '1' }), failure('cancelled'), failure('bind_missing')]
  const { sendTo, fail, out } = setting(['a', 'b'])
  for (let i = 0; i < 20; i++) await sendTo('a', neutral[i % 4] as Outcome)
  expect(out()).toEqual([])
  await fail('a', 4)
  for (const outcome of neutral) await sendTo('a', outcome)
  expect(out()).toEqual([])
  await sendTo('a', status(500))
  expect(out()).toEqual(['a'])
})

test('a good answer, also one of a status that is not accepted, begins the row anew', async () => {
  const { sendTo, fail, out } = setting(['a', 'b'])
  for (const outcome of [good, status(404)]) {
    await fail('a', 4)
    await sendTo('a', outcome)
  }
  await fail('a', 4)
  expect(out()).toEqual([])
})

test('the second of two endpoints may be ejected as soon as the first one is due back', async () => {
  const { clock, fail, sendTo, send, answer, out, take } = setting(['a', 'b'])
  await fail('a')
  await fail('b', 9)
  expect(out()).toEqual(['a'])
  void send()
  clock.now += 30_000
  await answer('b', bad)
  expect([out(), take()]).toEqual([['b'], ['a out', 'a in', 'b out']])
  expect(await sendTo('b', good)).toBe('a')
})

test('where failures and overloads follow each other, however quickly, there the next calls are not', async () => {
  for (const outcome of [bad, status(500), status(429)]) {
    const { sendTo, send, under } = setting(['a', 'b'])
    await sendTo('b', good, 100)
    for (let i = 0; i < 4; i++) await sendTo('a', outcome, 1)
    for (let i = 0; i < 5; i++) void send()
    expect([under.get('a')?.length, under.get('b')?.length]).toEqual([0, 5])
  }
})

test('a call that was given up says that it would have taken longer, and no more', async () => {
  const { clock, sendTo, send, under } = setting(['a', 'b'])
  await sendTo('a', good, 100)
  clock.now += 9_980
  // By now those 100 ms count for 37.
  await sendTo('a', failure('cancelled'), 20)
  await sendTo('b', good, 43)
  void send()
  expect(under.get('a')?.length).toBe(1)
})

test('how long a stream lasted does not count, but that it failed does, as much as any failure', async () => {
  const sink = { head: () => {}, chunk: () => true }
  /** How many of a few calls go to one of two of which a stream came to something after ten minutes. */
  const callsAfter = async (outcome: Outcome, othersMs: number): Promise<number> => {
    const { sendTo, send, under, endpoints } = setting(['a', 'b'])
    await sendTo('b', good, othersMs)
    await sendTo('a', outcome, 600_000, { sink })
    await sendTo('b', good, othersMs)
    expect(endpoints.list().map(({ inFlight }) => inFlight)).toEqual([0, 0])
    for (let i = 0; i < 5; i++) void send()
    return under.get('a')?.length ?? 0
  }
  expect([await callsAfter(good, 10), await callsAfter(failure('cancelled'), 10)]).toEqual([5, 5])
  // As twice what the other takes, but never as more than a second.
  expect([await callsAfter(bad, 10), await callsAfter(bad, 2_000)]).toEqual([3, 5])
})

test('one that returns has fewer calls than the others for ten seconds, whatever it took before', async () => {
  const { sendTo, fail, clock, send, under } = setting(['a', 'b'])
  await fail('a')
  clock.now += 29_900
  await sendTo('b', good, 50)
  clock.now += 50
  for (let i = 0; i < 100; i++) void send()
  const share = (): number => (under.get('a')?.length ?? 0) / 100
  expect(share()).toBeGreaterThan(0.05)
  expect(share()).toBeLessThan(0.15)
  clock.now += 10_000
  for (let i = 0; i < 100; i++) void send()
  expect(share()).toBe(1)
})

test('what a check finds ill has no calls until it is found well, and starts slowly then', async () => {
  const { endpoints, clock, sendTo, send, under, fail } = setting(['a', 'b', 'c', 'd'])
  await fail('a', 4)
  endpoints.judge('a', false)
  endpoints.judge('unknown', false)
  expect(endpoints.list().map(({ healthy }) => healthy)).toEqual([false, true, true, true])
  expect(await sendTo('a', good)).not.toBe('a')
  endpoints.judge('a', true)
  expect(endpoints.list().every(({ healthy }) => healthy)).toBe(true)
  expect(await sendTo('a', good)).toBe('a')
  for (let i = 0; i < 100; i++) void send()
  expect(under.get('a')?.length).toBeLessThan(15)
  expect(under.get('a')?.length).toBeGreaterThan(5)
  // To be found well once more is no new start.
  clock.now += 10_000
  endpoints.judge('a', true)
  for (let i = 0; i < 60; i++) void send()
  expect(under.get('a')?.length).toBeGreaterThan(30)
})

test('when most look bad all have calls', async () => {
  const { endpoints, sendTo, fail } = setting(['a', 'b', 'c'])
  await fail('a')
  expect(await sendTo('a', good)).not.toBe('a')
  endpoints.judge('b', false)
  expect([await sendTo('a', good), await sendTo('b', good), await sendTo('c', good)]).toEqual(['a', 'b', 'c'])
  endpoints.judge('b', true)
  expect(await sendTo('a', good)).not.toBe('a')
})

test('an endpoint that stays keeps what is known of it, one that goes ends with its last call', async () => {
  const { endpoints, set, fail, take, out, sendTo, send, answer, under, clock } = setting(['a', 'b', 'c', 'd'])
  await fail('a')
  void send({ tried: new Set(['a', 'b', 'c']) })
  void send({ tried: new Set(['a', 'b', 'c']) })
  take()
  set('a', 'b', 'b', 'e')
  // What had no calls is gone at once.
  expect(take()).toEqual(['e made', 'c destroyed'])
  expect([endpoints.size, out()]).toEqual([3, ['a']])
  expect(endpoints.list().map(({ key }) => key)).toEqual(['a', 'b', 'e'])
  for (const key of ['c', 'd']) expect(['b', 'e']).toContain(await sendTo(key, good))
  clock.now += 10
  await answer('d', good)
  expect(take()).toEqual([])
  await answer('d', bad)
  expect(take()).toEqual(['d destroyed'])
  expect(under.get('c')).toBe(undefined)
  // One that comes back is another.
  set('a', 'b', 'd')
  expect(take()).toEqual(['d made', 'e destroyed'])
})

test('one that goes while it is ejected is told to be out no more, and one that has gone cannot be ejected', async () => {
  const { set, fail, take, send, answer } = setting(['a', 'b', 'c', 'd'])
  await fail('a')
  for (let i = 0; i < 8; i++) void send({ tried: new Set(['a', 'c', 'd']) })
  set('c', 'd', 'e', 'f')
  expect(take()).toEqual(['a out', 'e made', 'f made', 'a in', 'a destroyed'])
  for (let i = 0; i < 8; i++) await answer('b', bad)
  expect(take()).toEqual(['b destroyed'])
})

test('when the half that is in use goes, the ejected ones have the calls', async () => {
  const { set, fail, sendTo } = setting(['a', 'b', 'c', 'd'])
  await fail('a')
  await fail('b')
  set('a', 'b')
  expect([await sendTo('a', good), await sendTo('b', good)]).toEqual(['a', 'b'])
})

test('one that joins others starts slowly beside them, and the first of all do not', async () => {
  const { set, sendTo, send, under } = setting(['a', 'b'])
  for (let i = 0; i < 100; i++) void send()
  expect([under.get('a')?.length, under.get('b')?.length]).toEqual([50, 50])
  for (let i = 0; i < 50; i++) await sendTo('a', good, 0)
  set('b', 'c')
  for (let i = 0; i < 10; i++) void send()
  expect([under.get('b')?.length, under.get('c')?.length]).toEqual([55, 5])
})

test('from one endpoint to two and back no call is lost from the count', async () => {
  const { endpoints, set, send, answer, take } = setting(['a'])
  void send()
  set('a', 'b')
  void send({ tried: new Set(['b']) })
  set('a')
  void send()
  expect(endpoints.list()).toMatchObject([{ key: 'a', inFlight: 3 }])
  set()
  take()
  await answer('a', good)
  await answer('a', failure('cancelled'))
  expect(take()).toEqual([])
  await answer('a', bad)
  expect(take()).toEqual(['a destroyed'])
})

test('to destroy them ends each once: those in use, those that leave, and none again with its last call', async () => {
  const { endpoints, set, send, answer, take } = setting(['a', 'b', 'c', 'd'])
  void send({ tried: new Set(['b', 'c', 'd']) })
  void send({ tried: new Set(['a', 'c', 'd']) })
  set('b', 'c')
  expect(take()).toEqual(['d destroyed'])
  await endpoints.destroy()
  expect(take().toSorted()).toEqual(['a destroyed', 'b destroyed', 'c destroyed'])
  await answer('a', bad)
  await answer('b', bad)
  await endpoints.destroy()
  expect([take(), endpoints.size]).toEqual([[], 0])
  expect(await send()).toMatchObject({ error: 'dns_error' })
})

/** Endpoints with the test's side of the story, which must agree with them after everything that happens. */
function watch() {
  let dice = 1
  const watched = setting([], () => (dice = (dice * 7) % 101) / 101)
  const { endpoints, clock, set, send, answer, take, under } = watched
  let there: string[] = []
  const living: string[] = []
  const calls = (key: string): number => under.get(key)?.length ?? 0

  const call = (): void => {
    const tried = new Set<string>()
    void send({ tried })
    expect([...tried].filter((key) => there.includes(key)).length).toBe(Math.min(there.length, 1))
  }
  const reply = async (n: number, outcome: Outcome): Promise<void> => {
    const busy = [...under.keys()].filter((key) => calls(key) > 0)
    if (busy.length > 0) await answer(busy[n % busy.length] as string, outcome)
  }
  const change = (keys: readonly string[]): void => {
    // A key that comes back while its like still leaves would be two, whose calls the test could not tell apart.
    there = keys.filter((key) => there.includes(key) || !living.includes(key))
    set(...there)
  }
  const check = (): void => {
    for (const [key = '', what] of take().map((one) => one.split(' '))) {
      if (what === 'made') living.push(key)
      if (what === 'destroyed') living.splice(living.indexOf(key), 1)
    }
    expect(endpoints.list().map(({ key, inFlight }) => [key, inFlight])).toEqual(there.map((key) => [key, calls(key)]))
    // Alive is what is there, and what is not but has calls; each once.
    const left = [...under.keys()].filter((key) => calls(key) > 0 && !there.includes(key))
    expect(living.toSorted()).toEqual([...there, ...left].toSorted())
  }
  return { call, reply, change, check, endpoints, clock }
}

test('whatever happens to them each call goes to one that is there, and each is destroyed once, with its last', async () => {
  const deed = fc.record({
    does: fc.constantFrom('call', 'call', 'reply', 'reply', 'change', 'judge', 'wait'),
    keys: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd')),
    outcome: fc.constantFrom(good, bad, bad, failure('cancelled'), status(503, { 'retry-after': '9' })),
    n: fc.nat(50_000),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(deed, { maxLength: 80 }), async (deeds) => {
      const { call: make, reply, change, check, endpoints, clock } = watch()
      for (const { does, keys, outcome, n } of deeds) {
        if (does === 'call') make()
        if (does === 'reply') await reply(n, outcome)
        if (does === 'change') change(keys)
        if (does === 'judge') endpoints.judge(keys[0] ?? 'a', n % 2 === 0)
        if (does === 'wait') clock.now += n
        check()
      }
    }),
    { numRuns: 300 },
  )
})

test('an endpoint that is out when all others have gone is back', async () => {
  const { fail, out, take, set } = setting(['a', 'b'])
  await fail('a')
  expect(out()).toEqual(['a'])
  take()
  set('a')
  expect([out(), take()]).toEqual([[], ['a in', 'b destroyed']])
})
