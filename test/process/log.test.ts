import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { expect, test, vi } from 'vitest'
import { ask, connect, request } from '../support/client.ts'
import { startOrigin } from '../support/origin.ts'
import { type LogLine, startProcess } from '../support/process.ts'
import { keepAsking } from './load.ts'

// Each test waits for processes of its own, which on a busy machine take their time to start.
vi.setConfig({ testTimeout: 60_000 })

const ok = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}'
const gone = 'HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n'
const broken = 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{'

/** An origin where `/ok` is well, `/gone` is not there, `/broken` is no JSON, and `/hang` never answers. */
const startShop = () =>
  startOrigin(({ target }, socket) => {
    if (target !== '/hang') socket.write(target === '/gone' ? gone : target === '/broken' ? broken : ok)
  })

// What a hook sees of its thread: whatever is written to stdout there, by whatever way.
const hooks = `import { isMainThread } from 'node:worker_threads'
const seen = []
const spy = (text) => { seen.push(String(text)); return true }
if (!isMainThread) {
  process.stdout.write = spy
  process.stderr.write = spy
}
export const seenOf = () => ({ isMainThread, seen })
export const throws = () => { throw new Error('x'.repeat(300_000)) }
`

function config(origin: string, listen: string, ops: string): Record<string, string> {
  return {
    'hooks.js': hooks,
    'gateway.yaml': `listen: ${listen}
ops: ${ops}
defaults: { retry: 0, breaker: off }
upstreams:
  shop: { endpoints: ["${origin}"] }
  busy: { endpoints: ["${origin}"], timeout: 1m, limit: { max: 1, queue: 0 } }
  nowhere: { endpoints: ["http://127.0.0.1:1"] }
routes:
  - match: GET /items/:id
    name: item
    steps: { one: { call: GET shop /broken } }
  - match: GET /refused
    steps: { one: { call: GET nowhere / } }
  - match: GET /gone
    steps: { one: { call: GET shop /gone } }
  - match: GET /seen
    steps: { one: { call: GET shop /ok } }
    transform: ./hooks.js#seenOf
  - match: GET /busy
    budget: 1m
    steps: { one: { call: GET busy /hang } }
  - match: GET /throws
    steps: { one: { call: GET shop /ok } }
    transform: ./hooks.js#throws
`,
  }
}

const anywhere = ['{ host: 127.0.0.1, port: 0 }', '{ port: 0 }'] as const

test.concurrent(
  'a failed request is one line of JSON, with its reason, its ids, and nothing of its query; the control loop writes it',
  async () => {
    await using origin = await startShop()
    await using gateway = await startProcess(config(origin.url, ...anywhere))
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const response = await ask(
      gateway.port,
      request('GET', '/items/7?password=secret', { 'x-request-id': 'request-7', traceparent }),
    )
    expect([response.status, response.headers['proxy-status']]).toEqual([502, 'oneloop;error=invalid_body'])
    await ask(gateway.port, request('HEAD', '/refused'))
    // The client's own fault, and what went well, are no failures.
    expect((await ask(gateway.port, request('GET', '/gone'))).status).toBe(404)
    const seen = await ask(gateway.port, request('GET', '/seen'))
    expect(seen.json()).toEqual({ isMainThread: false, seen: [] })

    await gateway.logged('request failed', 2)
    expect(gateway.output()).not.toContain('secret')
    const [first, second, ...others] = gateway.lines('request failed')
    expect(first).toEqual({
      level: 'warn',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      msg: 'request failed',
      reason: 'invalid_body',
      route: 'item',
      method: 'GET',
      path: '/items/7',
      requestId: 'request-7',
      traceId: '0af7651916cd43dd8448eb211c80319c',
      step: 'one',
      status: 502,
    })
    expect(second).toMatchObject({
      reason: 'connection_refused',
      method: 'HEAD',
      detail: 'connect ECONNREFUSED 127.0.0.1:1',
    })
    expect(others).toEqual([])
  },
)

test.concurrent('at most ten lines a second for each reason; the next line tells how many were left out', async () => {
  await using origin = await startShop()
  await using gateway = await startProcess(config(origin.url, ...anywhere))
  const fail = (path: string) => ask(gateway.port, request('GET', path))
  const began = performance.now()
  let sent = 0
  // Few at once, so that none of them fails for want of a place.
  for (; sent < 150; sent += 15) await Promise.all(Array.from({ length: 15 }, () => fail('/items/1')))
  const seconds = Math.ceil((performance.now() - began) / 1000) + 1
  const of = (reason: string): LogLine[] => gateway.lines('request failed').filter((line) => line['reason'] === reason)
  const left = (): number => of('invalid_body').reduce((sum, { alike }) => sum + Number(alike ?? 0), 0)
  // Another reason has ten lines of its own. Lines come in the order in which they were made: with it all others are here.
  const allLines = async (count: number): Promise<void> => {
    await fail('/refused')
    while (of('connection_refused').length < count) await once(gateway.child.stdout as Readable, 'data')
  }
  await allLines(1)
  const before = of('invalid_body').length
  expect(before).toBeGreaterThanOrEqual(10)
  expect(before).toBeLessThanOrEqual(10 * seconds)
  // A new second begins sooner or later.
  while (of('invalid_body').length === before) {
    await fail('/items/1')
    sent++
  }
  await allLines(2)
  expect(of('invalid_body').length + left()).toBe(sent)
})

test.concurrent(
  'a reader of the log that has stalled stops nothing: requests are answered, health is told, SIGTERM ends it',
  async () => {
    await using origin = await startShop()
    await using gateway = await startProcess(
      config(origin.url, '{ host: 127.0.0.1, port: 0, drain: 0s }', '{ port: 0 }'),
    )
    gateway.child.stdout?.pause()
    // Ten lines of 300 kB: more than the pipe takes. Then one call has the only permit, and all others fail at once.
    await Promise.all(Array.from({ length: 10 }, () => ask(gateway.port, request('GET', '/throws'))))
    await using client = await connect(gateway.port)
    client.send(request('GET', '/busy'))
    await origin.until(({ requests }) => requests.some(({ target }) => target === '/hang'))
    let left = 10_000
    const asked = await Promise.all(
      Array.from({ length: 40 }, () => keepAsking(`${gateway.url}/busy`, () => left-- > 0)),
    )
    expect(asked.flatMap(({ failed }) => failed)).toEqual([])
    expect(asked.reduce((sum, { statuses }) => sum + (statuses[503] ?? 0), 0)).toBe(10_000)
    expect((await fetch(`${gateway.opsUrl}/livez`)).status).toBe(200)
    client.leave()
    gateway.child.kill('SIGTERM')
    expect(await gateway.ended).toBe(0)
  },
)

test.concurrent('a reader of the log that was slow gets whole lines, and is told how many it has missed', async () => {
  await using origin = await startShop()
  await using gateway = await startProcess(config(origin.url, ...anywhere))
  gateway.child.stdout?.pause()
  // Ten lines of 300 kB: more than may wait.
  await Promise.all(Array.from({ length: 10 }, () => ask(gateway.port, request('GET', '/throws'))))
  await gateway.status()
  gateway.child.stdout?.resume()
  const { level, dropped } = await gateway.logged('log lines were dropped')
  expect(level).toBe('warn')
  expect(dropped).toBeGreaterThan(0)
  await gateway.logged('request failed', 10 - Number(dropped))
  const lines = gateway.output().trimEnd().split('\n')
  expect(lines.filter((line) => !line.startsWith('{'))).toEqual([])
})

test.concurrent('a reader of the log that has gone stops nothing', async () => {
  await using origin = await startShop()
  await using gateway = await startProcess(config(origin.url, '{ host: 127.0.0.1, port: 0, drain: 0s }', '{ port: 0 }'))
  const stdout = gateway.child.stdout
  stdout?.destroy()
  if (stdout !== null) await once(stdout, 'close')
  for (let i = 0; i < 3; i++) expect((await ask(gateway.port, request('GET', '/refused'))).status).toBe(502)
  expect((await fetch(`${gateway.opsUrl}/livez`)).status).toBe(200)
  gateway.child.kill('SIGTERM')
  expect(await gateway.ended).toBe(0)
})
