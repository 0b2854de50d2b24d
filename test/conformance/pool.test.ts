import type { Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Call, Outcome, Sink } from '../../src/call/call.ts'
import { Scope } from '../../src/call/scope.ts'
import { Wheel } from '../../src/call/wheel.ts'
import { type Wire, pool } from '../../src/upstream/pool.ts'
import { type Arrived, type Origin, type Script, json, startOrigin } from '../support/origin.ts'
import { noLedger } from '../support/ledger.ts'

/** A wire to an origin of the test's own. */
interface Setting extends AsyncDisposable {
  readonly origin: Origin
  readonly wheel: Wheel
  readonly wire: Wire
  /** Sends a call within a scope. */
  readonly send: (scope: Scope, differs?: Partial<Call>) => PromiseLike<Outcome>
}

const call: Call = { method: 'GET', path: '/x', headers: ['a', 'b'], body: null, accept: () => true, decode: 'json' }

async function startSetting(script: Script, connections = 10, url = (origin: Origin) => origin.url): Promise<Setting> {
  const origin = await startOrigin(script)
  const wheel = new Wheel()
  const wire = pool(wheel, {
    origin: url(origin),
    connections,
    pipelining: 1,
    hurry: () => false,
    connectMs: 200,
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
    send: (scope, differs) => wire.upstream({ ...call, ...differs }, scope),
    async [Symbol.asyncDispose]() {
      await wire.destroy()
      await origin[Symbol.asyncDispose]()
    },
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await turn()
}

const whole: Script = (_request, socket) => void socket.write(json({ a: 1 }))

test('the pool gives a reply as it came, and leaves no alarm and no watcher behind', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 200, max: 599 }).filter((status) => status !== 204 && status !== 205 && status !== 304),
      fc.jsonValue().filter((value) => !JSON.stringify(value).includes('"__proto__"')),
      fc.stringMatching(/^[a-z]{0,8}$/),
      async (status, value, etag) => {
        await using setting = await startSetting((_request, socket) => void socket.write(json(value, status, { etag })))
        const scope = new Scope(setting.wheel, Infinity)
        const outcome = (await setting.send(scope)) as Outcome & { ok: true }
        expect(outcome).toMatchObject({ ok: true, status, headers: { 'content-type': 'application/json', etag } })
        expect(Buffer.from(outcome.body).toString()).toBe(JSON.stringify(value))
        expect([scope.size, setting.wheel.size]).toEqual([0, 0])
      },
    ),
    { numRuns: 30 },
  )
})

test('the pool sends a call as it is, and host, connection and length of its own', async () => {
  await using setting = await startSetting(whole)
  const body = Buffer.from('{"b":2}')
  await setting.send(new Scope(setting.wheel, Infinity), {
    method: 'POST',
    path: '/p?q=%20',
    headers: ['x-a', '1', 'x-b', '2'],
    body,
  })
  const [request] = setting.origin.requests
  const { port } = setting.origin
  expect(request?.head).toBe(
    `POST /p?q=%20 HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nconnection: keep-alive\r\nx-a: 1\r\nx-b: 2\r\ncontent-length: 7\r\n\r\n`,
  )
  expect(await request?.body).toEqual(body)
})

const arrived = ({ origin }: Setting): Promise<void> => origin.until(({ requests }) => requests.length === 1)

/** The moments at which a scope can end, each with an origin that gets a call there and no further. */
const moments: readonly (readonly [string, Script, (setting: Setting) => Promise<unknown>, Partial<Call>])[] = [
  ['the call is connecting', () => {}, () => Promise.resolve(), {}],
  ['the call waits for its headers', () => {}, arrived, {}],
  ['the headers are coming', (_request, socket) => void socket.write('HTTP/1.1 200 OK\r\ncontent-'), arrived, {}],
  [
    'the body is coming',
    (_request, socket) => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"a"'),
    arrived,
    {},
  ],
  [
    'the body of the request is being sent',
    async (_request, socket) => {
      socket.pause()
      await pause(50)
      // Who does not read does not see that the other side is gone.
      socket.resume()
    },
    arrived,
    { method: 'POST', body: Buffer.alloc(16 * 1024 ** 2, ' ') },
  ],
  ['a stream is being sent', () => {}, arrived, { method: 'POST', body: new PassThrough().on('error', () => {}) }],
]

test.each(moments)(
  'the pool settles at once when its scope ends while %s, and leaves nothing under way',
  async (_, script, reach, differs) => {
    await using setting = await startSetting(script)
    const scope = new Scope(setting.wheel, Infinity)
    const { body } = differs
    if (body instanceof PassThrough) body.write('something')
    const settled = setting.send(scope, differs)
    await reach(setting)
    scope.close('overloaded')
    // At once: not when the connection is gone.
    expect(await Promise.race([settled, turn()])).toMatchObject({ ok: false, error: 'overloaded' })
    expect(scope.size).toBe(0)
    // What connects is let connect: the next call may need it.
    await until(() => setting.wheel.size === 0)
    const connected = setting.origin.requests.length === 0
    if (!connected) await setting.origin.until(({ open }) => open === 0)
  },
)

test('the pool settles at once within a scope that has ended, and sends nothing', async () => {
  await using setting = await startSetting(whole)
  const scope = new Scope(setting.wheel, Infinity)
  scope.close('cancelled')
  expect(await setting.send(scope)).toMatchObject({ ok: false, error: 'cancelled' })
  expect([setting.wheel.size, setting.origin.opened]).toEqual([0, 0])
})

test('the pool settles when a connection cannot be made in time', async () => {
  // To whoever begins with TLS, an origin that says nothing is a connection that is never made.
  await using setting = await startSetting(
    () => {},
    10,
    ({ port }) => `https://127.0.0.1:${port}`,
  )
  const scope = new Scope(setting.wheel, Infinity)
  expect(await setting.send(scope)).toMatchObject({ ok: false, error: 'connection_timeout' })
  expect([scope.size, setting.wheel.size]).toEqual([0, 0])
})

test.each([
  ['a path that no request line can hold', { path: '/a b' }],
  ['a path with a line break', { path: '/a\r\nb: c' }],
  ['a header with a line break', { headers: ['a', 'b\r\nc: d'] }],
  ['a header without a name', { headers: ['', 'b'] }],
])('the pool fails a call with %s, and never rejects', async (_, differs) => {
  await using setting = await startSetting(whole, 1)
  const scope = new Scope(setting.wheel, Infinity)
  expect(await setting.send(scope, differs)).toMatchObject({ ok: false, error: 'proxy_internal_error' })
  // The one connection serves the next.
  expect(await setting.send(scope)).toMatchObject({ ok: true })
  expect([scope.size, setting.wheel.size]).toEqual([0, 0])
  expect(setting.origin.requests.length).toBe(1)
})

test('the pool makes no more connections than it may, and serves who waits in the order of coming', async () => {
  await using setting = await startSetting(whole, 3)
  const scope = new Scope(setting.wheel, Infinity)
  const paths = Array.from({ length: 50 }, (_, i) => `/${i}`)
  const outcomes = await Promise.all(paths.map((path) => setting.send(scope, { path })))
  expect(outcomes.filter(({ ok }) => !ok)).toEqual([])
  expect(setting.origin.opened).toBe(3)
  const places = setting.origin.requests.map(({ target }) => Number(target.slice(1)))
  // Three at once may arrive in any order among themselves.
  places.forEach((place, i) => expect(Math.abs(place - i)).toBeLessThan(4))
  expect([scope.size, setting.wheel.size]).toEqual([0, 0])
})

test('the pool serves who waits also when those before fail, time out, or leave', async () => {
  const script = (request: Arrived, socket: Socket): void => {
    const kind = Number(request.target.slice(1)) % 6
    if (kind === 0) socket.destroy()
    else if (kind === 1) socket.end('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{')
    else if (kind === 2) socket.write(Buffer.concat([json({ a: 1 }), json({ b: 2 })]))
    else if (kind === 3) socket.end(json({ a: 1 }, 200, { connection: 'close' }))
    else if (kind === 4) socket.write(json({ a: 1 }))
  }
  await using setting = await startSetting(script, 2)
  const scope = new Scope(setting.wheel, Infinity)
  const settling = Array.from({ length: 120 }, async (_, i) => {
    const own = scope.within(i % 6 === 5 ? 150 : 60_000)
    const outcome = await setting.send(own, { path: `/${i}` })
    own.close()
    return outcome.ok ? 'ok' : outcome.error
  })
  const names = await Promise.all(settling)
  const late = names.filter((_, i) => i % 6 === 5)
  expect(new Set(late)).toEqual(new Set(['http_response_timeout']))
  const rest = names.filter((_, i) => i % 6 !== 5)
  const expected = ['connection_terminated', 'http_response_incomplete', 'ok', 'ok', 'ok']
  expect(rest).toEqual(rest.map((_, i) => expected[i % 5]))
  expect([scope.size, setting.wheel.size]).toEqual([0, 0])
  // Nothing is lost: the next is served.
  expect(await setting.send(scope, { path: '/4' })).toMatchObject({ ok: true })
})

test('a call that leaves while its connection is being made leaves the connection to the next', async () => {
  await using setting = await startSetting(whole, 1)
  const leaving = new Scope(setting.wheel, Infinity)
  const left = setting.send(leaving, { path: '/left' })
  leaving.close('cancelled')
  expect(await left).toMatchObject({ ok: false, error: 'cancelled' })
  expect(await setting.send(new Scope(setting.wheel, Infinity), { path: '/next' })).toMatchObject({ ok: true })
  expect(setting.origin.requests.map(({ target }) => target)).toEqual(['/next'])
  expect(setting.origin.opened).toBe(1)
})

test('the pool passes a stream on as it comes, pauses it when asked to, and resumes it', async () => {
  const { promise: first, resolve: tellFirst } = Promise.withResolvers<void>()
  await using setting = await startSetting(async (_request, socket) => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nab')
    await first
    socket.write('cd')
  })
  const came: string[] = []
  let resume = (): void => {}
  const sink: Sink = {
    head: (status, _headers, again) => {
      came.push(`${status}`)
      resume = again
    },
    chunk: (bytes) => {
      came.push(Buffer.from(bytes).toString())
      return false
    },
  }
  const scope = new Scope(setting.wheel, Infinity)
  const settled = setting.send(scope, { sink })
  await until(() => came.length === 2)
  tellFirst()
  for (let i = 0; i < 20; i++) await turn()
  expect(came).toEqual(['200', 'ab'])
  resume()
  await until(() => came.length === 3)
  expect(came).toEqual(['200', 'ab', 'cd'])
  scope.close('cancelled')
  expect(await settled).toMatchObject({ ok: false, error: 'cancelled' })
})

test('all that is under way settles when the pool is destroyed, and its connections are closed', async () => {
  const setting = await startSetting((request, socket) => {
    if (request.target === '/part') socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"a"')
  }, 2)
  const scope = new Scope(setting.wheel, Infinity)
  // Two are sent, and two more wait for a connection.
  const settling = ['/none', '/part', '/waits', '/waits'].map((path) => setting.send(scope, { path }))
  await setting.origin.until(({ requests }) => requests.length === 2)
  await setting.wire.destroy()
  expect((await Promise.all(settling)).map(({ ok }) => ok)).toEqual([false, false, false, false])
  expect([scope.size, setting.wheel.size]).toEqual([0, 0])
  await setting.origin.until(({ open }) => open === 0)
  expect(setting.origin.requests.length).toBe(2)
  await setting.origin[Symbol.asyncDispose]()
})

test('ten thousand calls that wait for a connection all settle when the pool is destroyed', async () => {
  const setting = await startSetting(() => {}, 1)
  const scope = new Scope(setting.wheel, Infinity)
  const settling = Array.from({ length: 10_000 }, () => setting.send(scope))
  await setting.origin.until(({ requests }) => requests.length === 1)
  await setting.wire.destroy()
  expect((await Promise.all(settling)).filter(({ ok }) => ok)).toEqual([])
  expect([scope.size, setting.wheel.size, setting.origin.requests.length]).toEqual([0, 0, 1])
  await setting.origin[Symbol.asyncDispose]()
})

test('a pool that is destroyed while it connects leaves no connection and no alarm', async () => {
  const setting = await startSetting(
    () => {},
    2,
    ({ port }) => `https://127.0.0.1:${port}`,
  )
  const scope = new Scope(setting.wheel, Infinity)
  const settled = setting.send(scope)
  await setting.origin.until(({ opened }) => opened === 1)
  await setting.wire.destroy()
  expect(await settled).toMatchObject({ ok: false })
  await setting.origin.until(({ open }) => open === 0)
  await until(() => setting.wheel.size === 0)
  expect(scope.size).toBe(0)
  await setting.origin[Symbol.asyncDispose]()
})
