import { expect, test } from 'vitest'
import type { Call, Outcome } from '../../src/call/call.ts'
import { Scope } from '../../src/call/scope.ts'
import { Wheel } from '../../src/call/wheel.ts'
import { type Wire, pool } from '../../src/upstream/pool.ts'
import { startGateway } from '../support/gateway.ts'
import { noLedger } from '../support/ledger.ts'
import { type Arrived, type Origin, type Script, json, response, startOrigin } from '../support/origin.ts'
import { ask } from './setting.ts'

interface Setting extends AsyncDisposable {
  readonly origin: Origin
  readonly wheel: Wheel
  readonly wire: Wire
  readonly scope: Scope
  /** Sends a GET for a path within the test's scope, or another. */
  readonly send: (path: string, differs?: Partial<Call>, scope?: Scope) => PromiseLike<Outcome>
}

const call: Call = {
  method: 'GET',
  path: '/',
  headers: [],
  body: null,
  accept: (status) => status < 300,
  decode: 'json',
}

async function start(script: Script, hurry = true): Promise<Setting> {
  const origin = await startOrigin(script)
  const wheel = new Wheel()
  const scope = new Scope(wheel, Infinity)
  const wire = pool(wheel, {
    origin: origin.url,
    connections: 10,
    pipelining: 3,
    hurry: () => hurry,
    connectMs: 1_000,
    maxBodyBytes: 1024 ** 2,
    maxHeaderBytes: 16 * 1024,
    trusted: false,
    onBroken: () => {},
    onAttempt: () => {},
    ...noLedger,
  })
  return {
    origin,
    wheel,
    wire,
    scope,
    send: (path, differs, own = scope) => wire.upstream({ ...call, path, ...differs }, own),
    async [Symbol.asyncDispose]() {
      expect([scope.size, wheel.size, wire.waiting()]).toEqual([0, 0, 0])
      await wire.destroy()
      await origin[Symbol.asyncDispose]()
    },
  }
}

const bodyOf = (outcome: Outcome): string => (outcome.ok ? Buffer.from(outcome.body).toString() : outcome.error)
const bodies = async (...sent: readonly PromiseLike<Outcome>[]): Promise<string[]> =>
  (await Promise.all(sent)).map(bodyOf)
const seen = ({ origin }: Setting): string[] =>
  origin.requests.map(({ target, connection }) => `${target} ${connection}`)

/** Answers each request of a connection by its path, in their order, once so many are there. */
function inPieces(count: number, answer: (request: Arrived) => string | Buffer): Script {
  const waiting = new Map<number, Buffer[]>()
  return (request, socket) => {
    const answers = waiting.get(request.connection) ?? []
    waiting.set(request.connection, answers)
    answers.push(Buffer.from(answer(request)))
    if (answers.length === count) socket.write(Buffer.concat(answers.splice(0)))
  }
}
const byPath = ({ target }: Arrived): Buffer => json(target)

test('calls of one turn go over one connection before the first is answered, each to its own reply', async () => {
  await using setting = await start(inPieces(3, byPath))
  const { send } = setting
  for (let round = 0; round < 3; round++) {
    expect(await bodies(send('/a'), send('/b'), send('/c'))).toEqual(['"/a"', '"/b"', '"/c"'])
  }
  expect(setting.origin.opened).toBe(1)
})

test('as many as may; what comes in another turn has a connection of its own', async () => {
  await using setting = await start(inPieces(1, byPath))
  const { send } = setting
  const first = [1, 2, 3, 4].map((n) => send(`/${n}`))
  await new Promise((resolve) => setImmediate(resolve))
  const others = [send('/5')]
  expect(await bodies(...first, ...others)).toHaveLength(5)
  const used = new Map(setting.origin.requests.map(({ target, connection }) => [target, connection]))
  expect(new Set(['/1', '/2', '/3'].map((path) => used.get(path))).size).toBe(1)
  expect(new Set(['/1', '/4', '/5'].map((path) => used.get(path))).size).toBe(3)
})

test('without hurry each has a connection of its own', async () => {
  await using setting = await start(byPathAtOnce, false)
  const { send } = setting
  expect(await bodies(send('/a'), send('/b'))).toEqual(['"/a"', '"/b"'])
  expect(setting.origin.opened).toBe(2)
})
const byPathAtOnce: Script = (request, socket) => void socket.write(byPath(request))

test.each<[string, Partial<Call>]>([
  ['not idempotent', { method: 'POST', body: Buffer.from('{}') }],
  ['answered without a body, which makes undici end the connection', { method: 'HEAD' }],
  ['a stream', { sink: { head: () => {}, chunk: () => true } }],
  ['sent again', { again: true }],
])('what is %s shares no connection', async (_, differs) => {
  await using setting = await start((request, socket) => {
    socket.write(request.method === 'HEAD' ? response(200, {}) : byPath(request))
  })
  const { send } = setting
  const outcomes = await Promise.all([send('/a'), send('/b', differs), send('/c')])
  expect(outcomes.map(({ ok }) => ok)).toEqual([true, true, true])
  const used = new Map(setting.origin.requests.map(({ target, connection }) => [target, connection]))
  expect(used.get('/a')).toBe(used.get('/c'))
  expect(used.get('/b')).not.toBe(used.get('/a'))
})

test.each([0, 1, 2])('the others do not notice when the call at place %i is cut', async (place) => {
  await using setting = await start((request, socket) => {
    if (request.connection > 1) socket.write(byPath(request))
  })
  const { origin, wheel, scope, send } = setting
  const own = new Scope(wheel, Infinity)
  const paths = ['/0', '/1', '/2']
  const sent = paths.map((path, i) => send(path, {}, i === place ? own : scope))
  await origin.until(({ requests }) => requests.length === 3)
  own.close('cancelled')
  expect(await bodies(...sent)).toEqual(paths.map((path, i) => (i === place ? 'cancelled' : `"${path}"`)))
  const others = paths.filter((_, i) => i !== place)
  expect(seen(setting)).toEqual([...paths.map((path) => `${path} 1`), ...others.map((path) => `${path} 2`)])
  expect(own.size).toBe(0)
})

test('half a reply that is cut with its neighbour is not seen in the one that comes when it is sent again', async () => {
  const inTwo = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n"\r\n3\r\n/a"\r\n0\r\n\r\n'
  await using setting = await start((request, socket) => {
    if (request.connection > 1) socket.write(inTwo)
    else if (request.target === '/b') socket.write(response(200, { 'content-length': 20, 'x-old': 1 }, '["/a",'))
  })
  const { wheel, send } = setting
  const own = new Scope(wheel, Infinity)
  let begun = (): void => {}
  const headThere = new Promise<void>((resolve) => (begun = resolve))
  const accept = (status: number): boolean => (begun(), status < 300)
  const [a, b] = [send('/a', { accept }), send('/b', {}, own)]
  await headThere
  own.close('cancelled')
  expect(await bodies(a, b)).toEqual(['"/a"', 'cancelled'])
  expect(await a).not.toHaveProperty(['headers', 'x-old'])
})

test('those behind a reply that ends the connection are sent over another', async () => {
  await using setting = await start((request, socket) => {
    if (request.connection > 1) socket.write(byPath(request))
    else if (request.target === '/a') socket.end(json('/a', 200, { connection: 'close' }))
  })
  const { send } = setting
  expect(await bodies(send('/a'), send('/b'), send('/c'))).toEqual(['"/a"', '"/b"', '"/c"'])
  expect(seen(setting)).toEqual(['/a 1', '/b 1', '/c 1', '/b 2', '/c 2'])
})

test('none is sent a third time: a peer that ends each connection is not asked for ever', async () => {
  await using setting = await start((request, socket) => {
    if (request.target === '/c') socket.resetAndDestroy()
  })
  const { send } = setting
  const failed = Array.from({ length: 3 }, () => 'connection_terminated')
  expect(await bodies(send('/a'), send('/b'), send('/c'))).toEqual(failed)
  const times = (path: string): number => setting.origin.requests.filter(({ target }) => target === path).length
  expect(['/a', '/b', '/c'].map(times)).toEqual([1, 2, 2])
})

test('what comes behind the last reply ends the connection', async () => {
  await using setting = await start(
    inPieces(2, ({ target }) => (target === '/b' ? `${byPathText('/b')}HTTP/1.1 200` : byPathText(target))),
  )
  const { origin, send } = setting
  expect(await bodies(send('/a'), send('/b'))).toEqual(['"/a"', '"/b"'])
  await origin.until(({ open }) => open === 0)
})
const byPathText = (path: string): string => json(path).toString()

test('what follows the head of an answer to HEAD is no body of its', async () => {
  await using setting = await start((_, socket) => void socket.write(json({ a: 1 })))
  expect(await setting.send('/a', { method: 'HEAD', decode: 'raw' })).toMatchObject({ ok: true, body: Buffer.alloc(0) })
})

test('a gateway pipelines to an upstream of which it is said, while its loop is more than 80 % busy', async () => {
  await using origin = await startOrigin(byPathAtOnce)
  let busy = 0.8
  const yaml = `
upstreams: { one: { endpoints: ["${origin.url}"], pipelining: 3 } }
routes:
  - match: GET /
    steps: { a: { call: GET one /a }, b: { call: GET one /b }, c: { call: GET one /c } }
`
  await using gateway = await startGateway(yaml, '', () => busy)
  const answer = { status: 200, text: '{"a":"/a","b":"/b","c":"/c"}' }
  expect(await ask(gateway.url)).toMatchObject(answer)
  expect(origin.opened).toBe(3)
  busy = 0.81
  expect(await ask(gateway.url)).toMatchObject(answer)
  expect(new Set(origin.requests.slice(3).map(({ connection }) => connection)).size).toBe(1)
})
