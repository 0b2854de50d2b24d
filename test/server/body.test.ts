import { EventEmitter } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { PassThrough } from 'node:stream'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { Wheel } from '../../src/call/wheel.ts'
import { readBody } from '../../src/server/body.ts'
import { ask, chunk, connect, request } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { json, startOrigin } from '../support/origin.ts'
import { expectProblem } from '../support/problem.ts'

const origin = await startOrigin(async (asked, socket) => {
  const body = await asked.body
  socket.write(json({ length: body.length }))
})
const gateway = await startGateway(`
upstreams: { o: { endpoints: ["${origin.url}"] } }
routes:
  - match: POST /fields
    steps: { a: { call: { method: POST, upstream: o, path: "/p/{body.name}", body: { list: "{body.list}", first: "{body.list.0.x}", rest: "{body.rest}" } } } }
    response: { name: "{body.name}", first: "{body.list.0.x}", none: "{body.none}", odd: "{body['a.b']}" }
  - match: POST /whole
    steps: { a: { call: { method: PUT, upstream: o, path: /w, body: "{body}" } } }
  - match: POST /later
    steps:
      a: { call: GET o /a }
      b: { call: { method: POST, upstream: o, path: /b, body: { n: "{a.length}", x: "{body.x}" } } }
  - match: POST /order
    schema: ./server/schemas/order.schema.json
    steps: { a: { call: GET o /a } }
  - match: ANY /unread
    steps: { a: { call: GET o /a } }
  - match: POST /small
    limits: { body: 100B }
    steps: { a: { call: { method: POST, upstream: o, path: /s, body: "{body}" } } }
  - match: ANY /small-unread
    limits: { body: 100B }
    steps: { a: { call: GET o /a } }
`)
let before = 0
beforeEach(async () => {
  await gateway.idle()
  before = origin.requests.length
})
afterAll(async () => {
  await gateway.close()
  await origin[Symbol.asyncDispose]()
})

const post = (path: string, body: string | Uint8Array) => ask(gateway.port, request('POST', path, {}, body))
const sentBody = async () => String(await origin.requests.at(-1)?.body)

test('fields of a JSON body are read in paths, bodies and responses', async () => {
  const response = await post('/fields', '{"name":"a b","list":[{"x":1.50},2],"a.b":true,"rest":{"z":1,"a":"é"}}')
  expect(response.json()).toEqual({ name: 'a b', first: 1.5, none: null, odd: true })
  expect(origin.requests.at(-1)?.target).toBe('/p/a%20b')
  expect(JSON.parse(await sentBody())).toEqual({ list: [{ x: 1.5 }, 2], first: 1.5, rest: { z: 1, a: 'é' } })
  expect(origin.requests.at(-1)?.headers['content-type']).toBe('application/json')
})

test('a body that is sent whole is sent as it came, byte for byte', async () => {
  const body = ' {"b":1.0, "a":[1e2,"\\u00e9é"],\n"b":2}\t'
  expect((await post('/whole', body)).status).toBe(200)
  expect(await sentBody()).toBe(body)
  expect(origin.requests.at(-1)).toMatchObject({
    method: 'PUT',
    headers: { 'content-length': `${Buffer.byteLength(body)}` },
  })
})

test('a body in chunks, in many pieces and with trailers, is put together', async () => {
  await using client = await connect(gateway.port)
  client.send(request('POST', '/whole', { 'transfer-encoding': 'chunked' }))
  for (const piece of ['{"a', '":', '1}']) await client.sent(chunk(piece))
  client.send('0\r\nX-Trailer: 1\r\n\r\n')
  expect((await client.response()).status).toBe(200)
  expect(await sentBody()).toBe('{"a":1}')
  expect(origin.requests.at(-1)?.headers).not.toHaveProperty('x-trailer')
})

test.each([
  ['that is cut short', '{"name":'],
  ['that is text', 'name=a'],
  ['with something behind it', '{} {}'],
  ['with a byte order mark', '\ufeff{}'],
  ['that is not UTF-8', Buffer.from([0x22, 0xff, 0x22])],
  ['that is only space', '  '],
  ['nested 100 000 deep', `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
  ['nested 1 001 deep within a key', `{"x":${'['.repeat(1_000)}${']'.repeat(1_000)}}`],
])('a body %s is answered 400, and nothing is called', async (_, body) => {
  for (const path of ['/fields', '/whole', '/later']) {
    expect(expectProblem(await post(path, body), 400).detail).toContain('JSON')
  }
  expect(origin.requests).toHaveLength(before)
})

test('a body nested 1 000 deep is served, and brackets in its text are text', async () => {
  const deep = `{"x":${'['.repeat(999)}"${'[{\\"\\\\'.repeat(2_000)}"${']'.repeat(999)}}`
  expect((await post('/later', deep)).status).toBe(200)
  expect(JSON.parse(await sentBody())).toEqual({ n: 0, x: (JSON.parse(deep) as { x: unknown }).x })
})

test('a value that is wanted of a body and is not there is answered 400 with its name', async () => {
  for (const body of ['{}', '{"name":null}', '{"name":{"x":1}}', '[]', '"name"', '{"__proto__":{"name":"x"}}', '']) {
    const problem = expectProblem(await post('/fields', body), 400)
    expect(problem).toMatchObject({ error: 'bind_missing', errors: [{ step: 'a', reference: 'body.name' }] })
  }
  expectProblem(await post('/whole', ''), 400)
  expect(origin.requests).toHaveLength(before)
})

test('a body that is not as its schema wants it is answered 400 with each place as a JSON pointer', async () => {
  const problem = expectProblem(
    await post('/order', '{"code":"","lines":[{"amount":1},{"amount":0.5,"a/b~c":1}],"extra":1}'),
    400,
  )
  const pointers = problem.errors?.map(({ pointer }) => pointer)
  expect(new Set(pointers)).toEqual(new Set(['#', '#/code', '#/lines/1/amount', '#/lines/1/a~1b~0c']))
  expect(problem.errors).toContainEqual({ pointer: '#', detail: expect.stringContaining('"extra"') })
  expect(problem.detail).toMatch(/#/)
  expect(expectProblem(await post('/order', '{"lines":[]}'), 400).errors).toHaveLength(2)
  expect(origin.requests).toHaveLength(before)
})

test('a body is checked by its schema although nothing reads it, and one that is missing does not pass', async () => {
  expect((await post('/order', '{"code":"a","lines":[{"amount":1}]}')).status).toBe(200)
  expectProblem(await post('/order', 'null'), 400)
  expectProblem(await post('/order', ''), 400)
  expectProblem(await post('/order', '{'), 400)
  expect(origin.requests).toHaveLength(before + 1)
})

test('C7: a body that says it is over the limit is answered 413 before a byte of it is sent', async () => {
  for (const path of ['/small', '/small-unread']) {
    await using client = await connect(gateway.port)
    client.send(request('POST', path, { 'content-length': '101' }))
    const response = await client.response()
    expect(expectProblem(response, 413).detail).toContain('100 bytes')
    expect(response.headers['connection']).toBe('close')
    expect(await client.rest()).toBe('')
  }
  expect(origin.requests).toHaveLength(before)
})

test('C7: the limit is 1 MiB where none is written', async () => {
  const largest = `"${'x'.repeat(1_048_574)}"`
  expect((await post('/whole', largest)).json()).toEqual({ a: { length: 1_048_576 } })
  expectProblem(await post('/whole', `${largest} `), 413)
})

test('C7: a body in chunks is answered 413 as soon as it is over the limit, though it has no end', async () => {
  for (const path of ['/small', '/small-unread']) {
    await using client = await connect(gateway.port)
    client.send(request('POST', path, { 'transfer-encoding': 'chunked' }))
    client.send(chunk(`"${'x'.repeat(99)}`))
    client.send(chunk('y'))
    const response = await client.response()
    expectProblem(response, 413)
    expect(response.headers['connection']).toBe('close')
    expect(await client.rest()).toBe('')
  }
  expect(origin.requests).toHaveLength(before)
})

test('C7: a client that goes on sending megabytes reads its 413 all the same', async () => {
  await using client = await connect(gateway.port)
  client.send(request('POST', '/small', {}, Buffer.alloc(5_000_000, 'x')))
  expectProblem(await client.response(), 413)
  await using other = await connect(gateway.port)
  other.send(request('POST', '/small', { 'transfer-encoding': 'chunked' }))
  for (let i = 0; i < 50; i++) other.send(chunk(Buffer.alloc(100_000, 'x')))
  expectProblem(await other.response(), 413)
})

test('C7: a client that asks before it sends is told 413 where the body is too large, else to go on', async () => {
  await using client = await connect(gateway.port)
  client.send(request('POST', '/small', { expect: '100-continue', 'content-length': '10' }))
  await client.until('HTTP/1.1 100 Continue\r\n\r\n')
  client.send('"01234567"')
  expect((await client.response()).json()).toEqual({ a: { length: 10 } })
  // On a chunked body it is too early to say.
  client.send(request('POST', '/small', { expect: '100-CONTINUE', 'transfer-encoding': 'chunked' }))
  await client.until('HTTP/1.1 100 Continue\r\n\r\n')
  client.send(`${String(chunk('"x"'))}0\r\n\r\n`)
  expect((await client.response()).json()).toEqual({ a: { length: 3 } })
  client.send(request('POST', '/small', { expect: '100-continue', 'content-length': '101' }))
  const response = await client.response()
  expectProblem(response, 413)
  expect(response.interim).toEqual([])
})

test('a client of HTTP/1.0 that asks before it sends is not told to go on, since it knows no such word', async () => {
  await using client = await connect(gateway.port)
  client.send('POST /small HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}')
  const response = await client.response()
  expect(response.json()).toEqual({ a: { length: 2 } })
  expect(response.interim).toEqual([])
})

test('a body that nothing reads is taken in, whatever it is, and the next request on the connection is served', async () => {
  await using client = await connect(gateway.port)
  for (const method of ['GET', 'POST', 'DELETE']) {
    for (const body of ['not JSON', 'GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n', 'x'.repeat(500_000)]) {
      client.send(request(method, '/unread', {}, body))
      expect((await client.response()).json()).toEqual({ a: { length: 0 } })
    }
  }
  expect(origin.requests).toHaveLength(before + 9)
})

test('a body of which the rest does not come on a path without a route does not hold the connection', async () => {
  for (const method of ['GET', 'POST']) {
    await using client = await connect(gateway.port)
    client.send(request(method, '/nowhere', { 'content-length': '1000' }, 'only this'))
    expectProblem(await client.response(), 404)
    expect(await client.rest()).toBe('')
  }
})

/** The two halves of an exchange with a POST that sends no more than it is given here. */
function slowPost() {
  const incoming = Object.assign(new PassThrough(), { headers: { 'content-length': '10' }, httpVersion: '1.1' })
  return {
    incoming: incoming as unknown as IncomingMessage & PassThrough,
    outgoing: new EventEmitter() as ServerResponse,
  }
}

test('C2: a body that has not arrived after 30 s is answered 408, and not before; nothing is left behind', async () => {
  let now = 1_000
  const wheel = new Wheel(() => now)
  const { incoming, outgoing } = slowPost()
  let settled: unknown = null
  const reading = readBody(incoming, outgoing, 1_024, wheel).then((result) => (settled = result))
  for (let i = 0; i < 9; i++) {
    incoming.write('x')
    now += 3_300
    wheel.advance()
    await Promise.resolve()
    expect(settled).toBeNull()
  }
  now = 1_000 + 30_004
  wheel.advance()
  expect(await reading).toMatchObject({ status: 408, closes: true })
  expect(wheel.size).toBe(0)
  for (const event of ['data', 'end', 'close', 'error']) expect(incoming.listenerCount(event)).toBe(0)
})

test('C2: a body that arrives in time is given whole, and its alarm is off', async () => {
  let now = 0
  const wheel = new Wheel(() => now)
  const { incoming, outgoing } = slowPost()
  const reading = readBody(incoming, outgoing, 1_024, wheel)
  incoming.write('01234')
  now = 29_000
  wheel.advance()
  incoming.end('56789')
  expect(String(await reading)).toBe('0123456789')
  expect(wheel.size).toBe(0)
})

test('C3: a client that leaves in the middle of its body has none to read, and its alarm is off', async () => {
  const wheel = new Wheel(() => 0)
  const { incoming, outgoing } = slowPost()
  const reading = readBody(incoming, outgoing, 1_024, wheel)
  incoming.write('01234')
  incoming.destroy(new Error('aborted'))
  expect(await reading).toBeNull()
  expect(wheel.size).toBe(0)
})
