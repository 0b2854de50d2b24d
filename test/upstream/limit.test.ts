import type { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { memoryStore } from '../../src/cache/memory.ts'
import { Instruments } from '../../src/telemetry/instruments.ts'
import { callMeter, seriesOf } from '../../src/telemetry/meters.ts'
import { Scope } from '../../src/call/scope.ts'
import { Wheel } from '../../src/call/wheel.ts'
import { parse } from '../../src/config/load.ts'
import { type UpstreamOptions, stack } from '../../src/upstream/stack.ts'
import { type Arrived, json, startOrigin } from '../support/origin.ts'
import { counting } from '../support/entry.ts'
import { type Setting, expectAlive, expectProblem, startSetting } from './setting.ts'
import { noLedger } from '../support/ledger.ts'

const store = memoryStore({ maxBytes: 0, now: () => 0, meter: counting() })
const refused = 'oneloop;error=connection_limit_reached'
const many = <T>(count: number, one: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => one(i))

/** An origin that answers only when it is told to, request by request in the order in which they came. */
function held(): { script: (request: Arrived, socket: Socket) => void; release: (count?: number) => void } {
  const waiting: (() => void)[] = []
  return {
    script: ({ target }, socket) => void waiting.push(() => void socket.write(json({ at: target }))),
    release: (count = Infinity) => waiting.splice(0, count).forEach((answer) => answer()),
  }
}

const active = ({ gateway }: Setting): number => gateway.read('oneloop.calls.active', { upstream: 'bad' })

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve))
}

/** An origin that takes its time, and knows how many it had to do at once. */
function busy(ms: number): { script: (request: Arrived, socket: Socket) => Promise<void>; most: () => number } {
  let now = 0
  let most = 0
  return {
    async script(_, socket) {
      most = Math.max(most, ++now)
      await pause(ms)
      now--
      socket.write(json({ a: 1 }))
    },
    most: () => most,
  }
}

test('a cold burst of 300 requests over an origin that takes its time is served whole', async () => {
  const { script, most } = busy(30)
  await using setting = await startSetting(script)
  const answers = await Promise.all(many(300, () => setting.ask('/required')))
  expect(answers.filter(({ status }) => status !== 200)).toEqual([])
  await expectAlive(setting)
  expect(most()).toBeLessThanOrEqual(128)
  expect(setting.bad.requests.length).toBe(300)
})

test('a cold burst of 300 calls in one turn of the loop is served whole, as many at once as there are connections', async () => {
  const { script, most } = busy(30)
  await using origin = await startOrigin(script)
  const { config } = parse(
    `upstreams: { o: { endpoints: ["${origin.url}"] } }\nroutes: [{ match: GET /, forward: o }]`,
    { file: '/gateway.yaml', env: {} },
  )
  const wheel = new Wheel()
  const meter = callMeter(new Instruments(seriesOf([], ['o'])), 'o')
  const ground = { name: 'o', store, wheel, meter, utilisation: () => 0, tell: () => {}, ...noLedger }
  const made = stack(config?.upstreams['o'] as UpstreamOptions, ground)
  const upstream = made.with({})
  const scope = new Scope(wheel, Infinity)
  const call = { method: 'GET', path: '/', headers: [], body: null, accept: () => true, decode: 'json' } as const
  const outcomes = await Promise.all(many(300, () => upstream(call, scope)))
  expect(outcomes.filter(({ ok }) => !ok)).toEqual([])
  expect(most()).toBe(128)
  expect([scope.size, wheel.size]).toEqual([0, 0])
  await made.destroy()
})

test('a queue that stands is refused with 503, and what is not refused is served', async () => {
  const { script, most } = busy(20)
  await using setting = await startSetting(script, { upstream: 'limit: 2' })
  const counts = new Map<string, number>()
  const began = performance.now()
  // Each asks again as soon as it is answered: ten times as many as the origin can take.
  const client = async (): Promise<void> => {
    while (performance.now() - began < 1_500) {
      const { status, json: problem } = await setting.ask('/required')
      const said = status === 200 ? '200' : `${status} ${problem.error}`
      counts.set(said, (counts.get(said) ?? 0) + 1)
    }
  }
  await Promise.all(many(20, client))
  expect([...counts.keys()].toSorted()).toEqual(['200', '503 connection_limit_reached'])
  expect(counts.get('200')).toBeGreaterThan(20)
  await expectAlive(setting)
  expect(most()).toBe(2)
  const failed = { upstream: 'bad', 'error.type': 'connection_limit_reached' }
  expect(setting.gateway.read('oneloop.calls', failed)).toBe(counts.get('503 connection_limit_reached'))
})

test('with limit { max: 1, queue: 1, wait: 20ms } the second waits that long, and the third is refused at once', async () => {
  const { script, release } = held()
  await using setting = await startSetting(script, { upstream: 'limit: { max: 1, queue: 1, wait: 20ms }' })
  const first = setting.ask('/required')
  await setting.bad.until(({ requests }) => requests.length === 1)
  const began = performance.now()
  const second = setting.ask('/required').then((answer) => ({ answer, tookMs: performance.now() - began }))
  await until(() => active(setting) === 2)
  const third = await setting.ask('/optional')
  expect(third).toMatchObject({ status: 200, text: '{"x":null,"y":{"y":1}}' })
  expect(third.headers.get('oneloop-missing')).toBe('x;error=connection_limit_reached')
  const { answer, tookMs } = await second
  expectProblem(answer, 503, refused)
  expect(tookMs).toBeGreaterThanOrEqual(20)
  expect(tookMs).toBeLessThan(1_000)
  release()
  expect((await first).status).toBe(200)
  await expectAlive(setting)
  expect(setting.bad.requests.length).toBe(1)
})

test('who waits is served in the order of coming', async () => {
  const { script, release } = held()
  await using setting = await startSetting(script, { upstream: 'limit: { max: 1, queue: 10, wait: 5s }' })
  const answers: Promise<unknown>[] = []
  for (let i = 0; i < 5; i++) {
    answers.push(setting.ask(`/forward/${i}`))
    await until(() => active(setting) === i + 1)
  }
  expect(setting.gateway.read('oneloop.calls.queued', { upstream: 'bad' })).toBe(4)
  for (let i = 1; i <= 5; i++) {
    await setting.bad.until(({ requests }) => requests.length === i)
    release()
  }
  await Promise.all(answers)
  expect(setting.gateway.read('oneloop.calls.queued', { upstream: 'bad' })).toBe(0)
  expect(setting.bad.requests.map(({ target }) => target)).toEqual(['/0', '/1', '/2', '/3', '/4'])
  await expectAlive(setting)
})

test("waiting for a permit does not eat the attempt's time", async () => {
  const script = async (_request: Arrived, socket: Socket): Promise<void> => {
    await pause(60)
    socket.write(json({ a: 1 }))
  }
  await using setting = await startSetting(script, {
    upstream: 'timeout: 250ms, limit: { max: 1, queue: 10, wait: 5s }',
  })
  const began = performance.now()
  const answers = await Promise.all(many(6, () => setting.ask('/required')))
  expect(performance.now() - began).toBeGreaterThan(300)
  expect(answers.map(({ status }) => status)).toEqual(many(6, () => 200))
  await expectAlive(setting)
})

test('who waits is answered with 504 when the budget is over, and leaves the queue', async () => {
  const { script, release } = held()
  const settings = { upstream: 'limit: { max: 1, queue: 1, wait: 5s }', budget: '100ms' }
  await using setting = await startSetting(script, settings)
  const first = setting.ask('/forward/x')
  await setting.bad.until(({ requests }) => requests.length === 1)
  expectProblem(await setting.ask('/required'), 504, 'oneloop;error=http_response_timeout')
  // Its place is free: the next one waits in it, and gets the permit.
  const next = setting.ask('/forward/y')
  await until(() => active(setting) === 2)
  release()
  await setting.bad.until(({ requests }) => requests.length === 2)
  release()
  expect([(await first).status, (await next).status]).toEqual([200, 200])
  await expectAlive(setting)
})

const one = 'timeout: 100ms, limit: { max: 1, queue: 0 }'

test.each<[string, (request: Arrived, socket: Socket) => void, number]>([
  ['a reply', (_, socket) => void socket.write(json({ a: 1 })), 200],
  ['a status that is not accepted', (_, socket) => void socket.write(json({ a: 1 }, 404)), 404],
  ['a broken reply', (_, socket) => void socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{'), 502],
  ['a timeout', () => {}, 504],
])('a permit comes back after %s', async (_, script, status) => {
  await using setting = await startSetting(script, { upstream: one })
  for (let i = 0; i < 3; i++) expect((await setting.ask('/required')).status).toBe(status)
  await expectAlive(setting)
})

test('a permit comes back when the connection is refused', async () => {
  await using setting = await startSetting(() => {}, { upstream: one, url: () => 'http://127.0.0.1:1' })
  for (let i = 0; i < 3; i++)
    expect((await setting.ask('/required')).json).toMatchObject({ error: 'connection_refused' })
  await expectAlive(setting)
})

test('a permit comes back when the client leaves, while it is served or while it waits', async () => {
  const { script, release } = held()
  await using setting = await startSetting(script, { upstream: 'limit: { max: 1, queue: 1, wait: 5s }' })
  for (const path of ['/required', '/forward/x']) {
    const before = setting.bad.requests.length
    const served = new AbortController()
    const waits = new AbortController()
    const gone = Promise.allSettled([
      setting.ask(path, { signal: served.signal }),
      setting.bad
        .until(({ requests }) => requests.length === before + 1)
        .then(() => setting.ask(path, { signal: waits.signal })),
    ])
    await until(() => active(setting) === 2)
    waits.abort()
    await until(() => active(setting) === 1)
    served.abort()
    expect((await gone).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    await setting.gateway.idle()
    expect(setting.bad.requests.length).toBe(before + 1)
  }
  release()
  const last = setting.ask('/required')
  await setting.bad.until(({ requests }) => requests.length === 3)
  release()
  expect((await last).status).toBe(200)
  await expectAlive(setting)
  expect(setting.gateway.read('oneloop.calls', { upstream: 'bad', 'error.type': 'cancelled' })).toBe(4)
})

test('a thousand calls, some failing, over a limit of 8 lose no permit', async () => {
  const script = (request: Arrived, socket: Socket): void => {
    const turn = request.connection % 5
    if (turn === 1) socket.destroy()
    else if (turn === 2) socket.end('HTTP/1.1 200 OK\r\n\r\n{')
    else socket.write(json({ a: 1 }, turn === 3 ? 500 : 200, { connection: 'close' }))
  }
  await using setting = await startSetting(script, { upstream: 'limit: { max: 8, queue: 1000, wait: 10s }' })
  const answers = await Promise.all(many(1_000, () => setting.ask('/required')))
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 502]))
  await expectAlive(setting)
  expect(setting.bad.requests.length).toBe(1_000)
  // All eight are free again: eight at once need no queue.
  expect((await Promise.all(many(8, () => setting.ask('/required')))).length).toBe(8)
  await expectAlive(setting)
})

test.each([429, 503])(
  'the limit is learned from %i, but grows while the loop is what calls wait for',
  async (status) => {
    await using origin = await startOrigin((_request, socket) => void socket.write(json({}, status)))
    const { config } = parse(
      `upstreams: { o: { endpoints: ["${origin.url}"], breaker: off } }\nroutes: [{ match: GET /, forward: o }]`,
      { file: '/gateway.yaml', env: {} },
    )
    const wheel = new Wheel()
    const instruments = new Instruments(seriesOf([], ['o']))
    const limitNow = () => instruments.read().find(({ name }) => name === 'oneloop.calls.limit')?.value
    let utilisation = 0
    const ground = {
      name: 'o',
      store,
      wheel,
      meter: callMeter(instruments, 'o'),
      utilisation: () => utilisation,
      tell: () => {},
      ...noLedger,
    }
    const made = stack(config?.upstreams['o'] as UpstreamOptions, ground)
    const upstream = made.with({})
    const scope = new Scope(wheel, Infinity)
    const accept = (answered: number) => answered < 300
    const call = { method: 'GET', path: '/', headers: [], body: null, accept, decode: 'json' } as const
    const some = () => Promise.all(many(100, () => upstream(call, scope)))
    expect(limitNow()).toBe(128)
    while (limitNow() === 128) await some()
    utilisation = 0.9
    while (limitNow() !== 128) await some()
    for (let i = 0; i < 20; i++) await some()
    expect(limitNow()).toBe(128)
    await made.destroy()
  },
)
