import { afterAll, expect, test } from 'vitest'
import { connect, request } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { response as reply, startOrigin } from '../support/origin.ts'
import { expectProblem } from '../support/problem.ts'

const origin = await startOrigin(({ target }, socket) => {
  if (target === '/down') return void socket.write(reply(503, { 'retry-after': '7', 'x-inner': 'secret' }, '{}'))
  const head =
    `HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json; own=${target}\r\nX-From: ${target}\r\nX-Only${target.replace('/', '-')}: 1\r\n` +
    'X-Request-Id: another\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nConnection: x-hop\r\nX-Hop: 1\r\nEtag: "e"\r\nAge: 5\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\n' +
    'Cache-Control: max-age=60\r\nVary: accept\r\n\r\n{}'
  socket.write(head)
})
const gateway = await startGateway(`
upstreams: { o: { endpoints: ["${origin.url}"] } }
routes:
  - match: GET /from
    steps: { a: { call: GET o /a }, b: { call: GET o /b } }
    response: { made: "of both" }
    headers: { response: { from: [b, a], set: { x-set: "{a@headers.x-from} {query.q|none}" }, remove: [vary] } }
  - match: GET /partial
    steps: { a: { call: GET o /a }, down: { call: GET o /down, optional: true } }
    headers: { response: { from: [a] } }
  - match: GET /down
    steps: { a: { call: GET o /a }, down: { call: GET o /down } }
    headers: { response: { from: [a], set: { x-set: set } } }
  - match: GET /created
    status: 201
    steps: { a: { call: GET o /a } }
  - match: GET /empty
    status: 204
    steps: { a: { call: GET o /a } }
`)
afterAll(async () => {
  await gateway.close()
  await origin[Symbol.asyncDispose]()
})

async function get(target: string, method = 'GET') {
  await using client = await connect(gateway.port)
  client.send(request(method, target, { 'x-request-id': 'mine' }))
  return await client.response(method)
}

test('fields of the named steps stand on the response, the first named first, but what speaks of their bodies or hops', async () => {
  const response = await get('/from')
  expect(response.json()).toEqual({ made: 'of both' })
  expect(response.headers).toMatchObject({
    'x-from': '/b',
    'x-only-a': '1',
    'x-only-b': '1',
    // Their Date says that they are old, and cookies are for one client.
    'cache-control': 'private, max-age=0',
  })
  expect(response.all('set-cookie')).toEqual(['a=1', 'b=2'])
  expect(response.headers).toMatchObject({
    'content-type': 'application/json',
    'content-length': `${response.body.length}`,
    'x-set': '/a none',
  })
  expect(response.headers['date']).not.toContain('2024')
  expect(response.headers['etag']).toMatch(/^"[\w-]{27}"$/)
  for (const name of ['age', 'vary', 'x-hop']) expect(response.headers).not.toHaveProperty(name)
})

test('the id of the request stands on the response, whatever the named steps answered', async () => {
  expect((await get('/from')).all('x-request-id')).toEqual(['mine'])
})

test('F1: a response that lacks a part is never to be kept, whatever the named steps say of theirs', async () => {
  const response = await get('/partial')
  expect(response.json()).toEqual({ a: {}, down: null })
  expect(response.headers).toMatchObject({
    'cache-control': 'no-store',
    'oneloop-missing': 'down;error=unaccepted_status;received-status=503',
  })
})

test('F2: an error answer has no field of a step but the Retry-After of the one that decided', async () => {
  const response = await get('/down')
  expectProblem(response, 503)
  expect(response.headers).toMatchObject({ 'retry-after': '7', 'proxy-status': 'oneloop;received-status=503' })
  for (const name of ['x-from', 'x-inner', 'x-set', 'set-cookie']) expect(response.headers).not.toHaveProperty(name)
})

test('a route answers with its own status; one that has no body has none, and no length', async () => {
  expect((await get('/created')).status).toBe(201)
  for (const method of ['GET', 'HEAD']) {
    const empty = await get('/empty', method)
    expect(empty).toMatchObject({ status: 204, text: '' })
    for (const name of ['content-type', 'content-length']) expect(empty.headers).not.toHaveProperty(name)
  }
})
