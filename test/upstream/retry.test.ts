import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { startGateway } from '../support/gateway.ts'
import { type Script, json, response, startJsonOrigin, startOrigin } from '../support/origin.ts'
import { type Setting, ask, startSetting } from './setting.ts'

/** Does something else for each request, in order; the last goes on for ever. */
function inTurn(...scripts: Script[]): Script {
  let turn = 0
  return (request, socket) => (scripts[Math.min(turn++, scripts.length - 1)] as Script)(request, socket)
}

const answers: Script = (_, socket) => void socket.write(json({ x: 1 }))
const closes: Script = (_, socket) => void socket.end()
const status =
  (code: number, headers: Record<string, string> = {}): Script =>
  (_, socket) =>
    void socket.write(response(code, headers))

const retries = ({ gateway }: Setting): number => gateway.read('oneloop.retries', { upstream: 'bad' })
const retry = { upstream: 'retry: 1' }

/** A port at which nobody listens. */
async function vacantPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

test.each<[string, Script]>([
  ['U2: a connection closed before a reply', closes],
  ['U14: an unasked 100', (_, socket) => void socket.write('HTTP/1.1 100 Continue\r\n\r\n')],
  ['502', status(502)],
  ['503', status(503)],
  ['504', status(504)],
  ['U25: 503 with a Retry-After within the budget', status(503, { 'retry-after': '0' })],
  ['U25: 429 with a Retry-After within the budget', status(429, { 'retry-after': '0' })],
])('%s is not the end: an idempotent call is made once more', async (_, fails) => {
  await using setting = await startSetting(inTurn(fails, answers), retry)
  expect(await setting.ask('/required')).toMatchObject({ status: 200, text: '{"x":{"x":1}}' })
  await setting.gateway.idle()
  expect([setting.bad.requests.length, retries(setting)]).toEqual([2, 1])
  expect(setting.gateway.read('oneloop.calls', { upstream: 'bad' })).toBe(1)
})

test('an attempt that takes too long is not the end: the call is made once more within the budget', async () => {
  await using setting = await startSetting(
    inTurn(() => {}, answers),
    { upstream: 'retry: 1, timeout: 100ms' },
  )
  expect(await setting.ask('/required')).toMatchObject({ status: 200 })
  expect(setting.bad.requests.length).toBe(2)
})

test('what fails once more fails, and the log says how often it was sent again', async () => {
  await using setting = await startSetting(closes, { upstream: 'retry: 2' })
  expect(await setting.ask('/required')).toMatchObject({ status: 502, json: { error: 'connection_terminated' } })
  await setting.gateway.idle()
  expect([setting.bad.requests.length, retries(setting)]).toEqual([3, 2])
  expect(setting.gateway.lines).toMatchObject([{ fields: { reason: 'connection_terminated', resent: 2 } }])
})

test.each<[string, number, Script]>([
  ['a 404', 404, status(404)],
  ['a 500', 502, status(500)],
  ['a 429 without Retry-After', 429, status(429)],
  ['a reply that breaks off', 502, (_, socket) => void socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{')],
  ['a reply that is not JSON', 502, (_, socket) => void socket.write(response(200, {}, '{'))],
  ['U25: 503 with a Retry-After beyond the budget', 503, status(503, { 'retry-after': '60' })],
])('of %s no further attempt is made', async (_, expected, fails) => {
  await using setting = await startSetting(fails, retry)
  const answer = await setting.ask('/required')
  expect(answer.status).toBe(expected)
  expect([setting.bad.requests.length, retries(setting)]).toEqual([1, 0])
  // What the upstream asks for is passed on.
  expect(answer.headers.get('retry-after')).toBe(expected === 503 ? '60' : null)
})

test('U2: a call that is not idempotent is sent once', async () => {
  await using setting = await startSetting(closes, retry)
  const posted = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"a":1}' }
  expect(await setting.ask('/posted', posted)).toMatchObject({ status: 502, json: { error: 'connection_terminated' } })
  expect(setting.bad.requests.length).toBe(1)
})

test.each(['GET', 'POST'])('U1: a refused %s goes to another endpoint, at once', async (method) => {
  const vacant = await vacantPort()
  await using good = await startJsonOrigin({ '/x': 1 })
  await using gateway = await startGateway(`
upstreams:
  o: { endpoints: ["http://127.0.0.1:${vacant}", "${good.url}"], ejection: off }
routes:
  - match: ANY /
    steps: { x: { call: { method: ${method}, upstream: o, path: /x, body: { a: 1 } } } }`)
  for (let i = 0; i < 20; i++) expect(await ask(gateway.url)).toMatchObject({ status: 200, text: '{"x":1}' })
  expect(await good.requests[0]?.body.then(String)).toBe('{"a":1}')
})

test('a further attempt goes to another endpoint, also when the first has answered', async () => {
  await using bad = await startOrigin(status(503))
  await using good = await startJsonOrigin({ '/x': 1 })
  await using gateway = await startGateway(`
upstreams:
  o: { endpoints: ["${bad.url}", "${good.url}"], breaker: off, ejection: off }
routes: [{ match: GET /, steps: { x: { call: GET o /x } } }]`)
  const all = await Promise.all(Array.from({ length: 12 }, () => ask(gateway.url)))
  const failed = all.filter((one) => one.status !== 200).length
  // Only the budget of further attempts, three of twelve at least, bounds it.
  expect(failed).toBe(Math.max(0, bad.requests.length - 3))
})

test('F5: the budget bounds what further attempts add to the calls of an upstream that answers 503 to all', async () => {
  await using setting = await startSetting(status(503), { upstream: 'retry: { more: 3, budget: 20% }, breaker: off' })
  for (let i = 0; i < 20; i++) await Promise.all(Array.from({ length: 10 }, () => setting.ask('/required')))
  expect(setting.bad.requests.length - retries(setting)).toBe(200)
  expect(setting.bad.requests.length).toBeLessThanOrEqual(240)
  expect(setting.bad.requests.length).toBeGreaterThan(200)
})

test('a step may have more attempts than its upstream, or none', async () => {
  await using more = await startSetting(inTurn(closes, closes, answers), { upstream: 'retry: 0', step: 'retry: 2' })
  expect(await more.ask('/required')).toMatchObject({ status: 200 })
  await using none = await startSetting(inTurn(closes, answers), { upstream: 'retry: 2', step: 'retry: 0' })
  expect(await none.ask('/required')).toMatchObject({ status: 502 })
})

test('a client that leaves while an attempt is waited for ends it', async () => {
  await using setting = await startSetting(status(503, { 'retry-after': '3' }), { ...retry, budget: '20s' })
  const leaving = new AbortController()
  const asked = setting.ask('/required', { signal: leaving.signal }).catch((error: Error) => error.name)
  await setting.bad.until(({ requests }) => requests.length === 1)
  leaving.abort()
  expect(await asked).toBe('AbortError')
  await setting.gateway.idle()
  expect(setting.bad.requests.length).toBe(1)
})

test('U1: a forwarded request that was not sent is sent elsewhere; one whose body is on its way is not', async () => {
  await using bad = await startOrigin(closes)
  await using good = await startOrigin(answers)
  await using gateway = await startGateway(`
upstreams: { o: { endpoints: ["${bad.url}", "${good.url}"], ejection: off, breaker: off } }
routes: [{ match: ANY /*, forward: o }]`)
  for (let i = 0; i < 10; i++) expect(await ask(`${gateway.url}/x`)).toMatchObject({ status: 200 })
  const put = { method: 'PUT', body: 'x' }
  const all = await Promise.all(Array.from({ length: 10 }, () => ask(`${gateway.url}/x`, put)))
  const lost = bad.requests.filter(({ method }) => method === 'PUT').length
  expect(all.filter((one) => one.status === 502).length).toBe(lost)
})

test('a POST whose redirect could not be followed is not sent a second time', async () => {
  await using setting = await startSetting(
    (request, socket) => {
      if (request.target === '/x') socket.end(response(303, { location: '/other', connection: 'close' }))
      else socket.destroy()
    },
    { upstream: `retry: 3, redirects: 1, connections: 1` },
  )
  const posted = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }
  expect(await setting.ask('/posted', posted)).toMatchObject({ status: 502 })
  expect(setting.bad.requests.filter(({ method }) => method === 'POST').length).toBe(1)
})
