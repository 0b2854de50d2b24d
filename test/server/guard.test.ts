import { afterAll, beforeEach, expect, test } from 'vitest'
import { ask, connect, request } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { json, startOrigin } from '../support/origin.ts'
import { expectProblem } from '../support/problem.ts'

const origin = await startOrigin((_, socket) => void socket.write(json({ answered: true })))
const routes = `
upstreams: { o: { endpoints: ["${origin.url}"] } }
routes:
  - match: GET /step
    steps: { a: { call: GET o /a } }
  - match: POST /step
    steps: { a: { call: { method: POST, upstream: o, path: /a, body: "{body}" } } }
  - match: GET /secret
    steps: { a: { call: { upstream: o, path: /a, headers: { x-copy: "{headers.x-secret?}" } } } }
  - match: ANY /forward
    forward: o /f
`

// Nothing that is refused leaves a trace, so that all can be refused by one.
const gateway = await startGateway(routes)
let before = 0
beforeEach(async () => {
  await gateway.idle()
  before = origin.requests.length
})
afterAll(async () => {
  await gateway.close()
  await origin[Symbol.asyncDispose]()
})

const names = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`x-${i}`, '1']))

test('C5: a header block over its limit is answered 431, as is one of 3 000 small fields', async () => {
  for (const headers of [{ 'x-big': 'x'.repeat(20_000) }, { 'x-big': 'x'.repeat(2_000_000) }, names(3_000)]) {
    const response = await ask(gateway.port, request('GET', '/step', headers))
    expectProblem(response, 431)
    expect(response.headers['connection']).toBe('close')
  }
  expect(origin.requests).toHaveLength(before)
})

test('C5: 100 header fields are taken, 101 are answered 431', async () => {
  // Host is the hundredth.
  expect((await ask(gateway.port, request('GET', '/step', names(99)))).status).toBe(200)
  expectProblem(await ask(gateway.port, request('GET', '/step', names(100))), 431)
  expectProblem(await ask(gateway.port, request('GET', '/step', names(2_500))), 431)
})

test('C5 C6: the limits of the head can be set', async () => {
  await using small = await startGateway(routes, 'limits: { header: 1KiB, headers: 5, url: 20B }')
  expect((await ask(small.port, request('GET', '/step', names(4)))).status).toBe(200)
  expectProblem(await ask(small.port, request('GET', '/step', names(5))), 431)
  expectProblem(await ask(small.port, request('GET', '/step', { x: 'x'.repeat(1_024) })), 431)
  expect((await ask(small.port, request('GET', `/step?${'x'.repeat(14)}`))).status).toBe(200)
  expectProblem(await ask(small.port, request('GET', `/step?${'x'.repeat(15)}`)), 414)
})

test('C5: fields are counted that Node would drop without a word', async () => {
  await using large = await startGateway(routes, 'limits: { header: 64KiB, headers: 1500 }')
  expect((await ask(large.port, request('GET', '/step', names(1_499)))).status).toBe(200)
  expectProblem(await ask(large.port, request('GET', '/step', names(1_500))), 431)
})

test('C6: a target over its limit is answered 414, also when it is larger than a whole header block may be', async () => {
  expect((await ask(gateway.port, request('GET', `/step?${'x'.repeat(8_192 - 6)}`))).status).toBe(200)
  for (const length of [8_192 - 5, 12_000, 20_000, 300_000]) {
    const response = await ask(gateway.port, request('GET', `/step?${'x'.repeat(length)}`))
    expectProblem(response, 414)
    expect(response.headers['connection']).toBe('close')
  }
  expect(origin.requests).toHaveLength(before + 1)
})

test('C8: an expectation that nobody knows is answered 417, and the connection closed', async () => {
  await using client = await connect(gateway.port)
  client.send(request('POST', '/step', { expect: 'foo', 'content-length': '2' }))
  const response = await client.response()
  expectProblem(response, 417)
  // Whether the body will come is not known, so what comes next could be taken for it.
  expect(response.headers['connection']).toBe('close')
  expect(await client.rest()).toBe('')
  expect(origin.requests).toHaveLength(before)
})

const head = 'POST /step HTTP/1.1\r\nHost: h\r\n'
const chunked = `${head}Transfer-Encoding: chunked\r\n\r\n`
const smuggled: readonly (readonly [name: string, status: number, bytes: string])[] = [
  [
    'C9: Content-Length beside Transfer-Encoding',
    400,
    `${head}Content-Length: 12\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
  ],
  [
    'C9: Transfer-Encoding before Content-Length',
    400,
    `${head}Transfer-Encoding: chunked\r\nContent-Length: 12\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
  ],
  ['C9: two Content-Length that differ', 400, `${head}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x`],
  ['C9: two Content-Length that agree', 400, `${head}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}`],
  ['C9: a list of lengths', 400, `${head}Content-Length: 2, 2\r\n\r\n{}`],
  ['C9: a length with a sign', 400, `${head}Content-Length: +2\r\n\r\n{}`],
  ['C9: a length below 0', 400, `${head}Content-Length: -2\r\n\r\n{}`],
  ['C9: a length in hexadecimal', 400, `${head}Content-Length: 0x2\r\n\r\n{}`],
  ['C9: a length of nothing', 400, `${head}Content-Length: \r\n\r\n{}`],
  ['C9: a length beyond all numbers', 400, `${head}Content-Length: 99999999999999999999\r\n\r\n{}`],
  ['C9: a folded header line', 400, `GET /step HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n`],
  ['C9: a folded Transfer-Encoding', 400, `${head}Transfer-Encoding:\r\n chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`],
  ['C9: a space before the colon', 400, `${head}Transfer-Encoding : chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`],
  ['C9: a space before the first field', 400, `GET /step HTTP/1.1\r\n Host: h\r\n\r\n`],
  ['C9: a line without a colon', 400, `GET /step HTTP/1.1\r\nHost: h\r\nabc\r\n\r\n`],
  ['C9: lines that end with a bare LF', 400, `GET /step HTTP/1.1\nHost: h\n\n`],
  ['C9: a field that ends with a bare LF', 400, `GET /step HTTP/1.1\r\nHost: h\r\nX: a\nY: b\r\n\r\n`],
  ['C9: a head that ends with a bare LF', 400, `GET /step HTTP/1.1\r\nHost: h\r\n\n`],
  ['C9: a bare CR in a value', 400, `GET /step HTTP/1.1\r\nHost: h\r\nX: a\rY: b\r\n\r\n`],
  ['C9: a NUL in a value', 400, `GET /step HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n`],
  ['C9: a NUL in a name', 400, `GET /step HTTP/1.1\r\nHost: h\r\nX\0: a\r\n\r\n`],
  ['C9: a NUL in the target', 400, `GET /step\0 HTTP/1.1\r\nHost: h\r\n\r\n`],
  ['C9: a control character in a value', 400, `GET /step HTTP/1.1\r\nHost: h\r\nX: \x01\r\n\r\n`],
  ['C9: a chunk size with 0x', 400, `${chunked}0x2\r\n{}\r\n0\r\n\r\n`],
  ['C9: a chunk size with a space before it', 400, `${chunked} 2\r\n{}\r\n0\r\n\r\n`],
  ['C9: a chunk size with a space behind it', 400, `${chunked}2 \r\n{}\r\n0\r\n\r\n`],
  ['C9: a chunk size below 0', 400, `${chunked}-2\r\n{}\r\n0\r\n\r\n`],
  ['C9: a chunk size that overflows', 400, `${chunked}10000000000000002\r\n{}\r\n0\r\n\r\n`],
  ['C9: a chunk size that ends with a bare LF', 400, `${chunked}2\n{}\r\n0\r\n\r\n`],
  ['C9: a bare LF in a chunk extension', 400, `${chunked}2;a\nb\r\n{}\r\n0\r\n\r\n`],
  ['C9: a chunk without its end', 400, `${chunked}2\r\n{}0\r\n\r\n`],
  ['C9: chunked twice', 400, `${head}Transfer-Encoding: chunked, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`],
  [
    'C9: chunked on two lines',
    400,
    `${head}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
  ],
  ['C9: chunked behind a vertical tab', 400, `${head}Transfer-Encoding: \x0bchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`],
  ['C9: chunked that is not the last coding', 400, `${head}Transfer-Encoding: chunked, identity\r\n\r\n`],
  ['C10: Transfer-Encoding: junk, chunked', 501, `${head}Transfer-Encoding: junk, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`],
  ['C10: Transfer-Encoding: gzip, chunked', 501, `${head}Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`],
  ['C10: Transfer-Encoding: xchunked', 501, `${head}Transfer-Encoding: xchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`],
  ['C10: Transfer-Encoding: identity', 501, `${head}Transfer-Encoding: identity\r\n\r\n`],
  [
    'C11: Transfer-Encoding in HTTP/1.0',
    400,
    `POST /step HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
  ],
  ['C11: a line of HTTP/0.9', 505, `GET /step\r\n\r\n`],
  ['C11: HTTP/0.9 by name', 505, `GET /step HTTP/0.9\r\nHost: h\r\n\r\n`],
  ['C11: HTTP/1.2', 505, `GET /step HTTP/1.2\r\nHost: h\r\n\r\n`],
  ['C11: HTTP/2.0', 505, `GET /step HTTP/2.0\r\nHost: h\r\n\r\n`],
  ['C11: HTTP/3.0', 505, `GET /step HTTP/3.0\r\nHost: h\r\n\r\n`],
  ['C11: a version in lower case', 400, `GET /step http/1.1\r\nHost: h\r\n\r\n`],
  ['C12: no Host', 400, `GET /step HTTP/1.1\r\n\r\n`],
  ['C12: two Hosts', 400, `GET /step HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n`],
  ['C12: the same Host twice', 400, `GET /step HTTP/1.1\r\nHost: h\r\nHOST: h\r\n\r\n`],
  ['C12: an empty Host', 400, `GET /step HTTP/1.1\r\nHost: \r\n\r\n`],
  ['C12: a Host with a comma', 400, `GET /step HTTP/1.1\r\nHost: h, i\r\n\r\n`],
  ['C12: a Host with a comma and no space', 400, `GET /step HTTP/1.1\r\nHost: h,i\r\n\r\n`],
  ['C12: a Host with a user', 400, `GET /step HTTP/1.1\r\nHost: user@h\r\n\r\n`],
  ['C12: a Host with a path', 400, `GET /step HTTP/1.1\r\nHost: h/x\r\n\r\n`],
  ['C12: a Host with a space', 400, `GET /step HTTP/1.1\r\nHost: h i\r\n\r\n`],
  ['C12: a Host with a port that there is not', 400, `GET /step HTTP/1.1\r\nHost: h:99999\r\n\r\n`],
  ['C12: a Host whose port is no number', 400, `GET /step HTTP/1.1\r\nHost: h:80a\r\n\r\n`],
  ['C12: a Host that is half an address', 400, `GET /step HTTP/1.1\r\nHost: 1.2.3.4.5\r\n\r\n`],
  ['C12: a Host that is another to some programs', 400, `GET /step HTTP/1.1\r\nHost: 127.1:80\r\n\r\n`],
  ['C12: an IPv6 Host in a form of its own', 400, `GET /step HTTP/1.1\r\nHost: [0:0::1]\r\n\r\n`],
  ['C13: a target whose authority is not that of Host', 400, `GET http://i/step HTTP/1.1\r\nHost: h\r\n\r\n`],
  ['C13: a target with a user', 400, `GET http://user@h/step HTTP/1.1\r\nHost: h\r\n\r\n`],
  ['C13: a target of another scheme', 400, `GET ftp://h/step HTTP/1.1\r\nHost: h\r\n\r\n`],
  ['C13: a target that is a star', 400, `OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n`],
  ['C22: the preface of HTTP/2', 400, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['a TLS hello on a port without TLS', 501, '\x16\x03\x01\0\xc8\x01\0\0\xc4\x03\x03'],
]

test.each(smuggled)(
  '%s is answered %i, the connection closed, and what follows never served',
  async (_, status, bytes) => {
    await using client = await connect(gateway.port)
    client.send(bytes + request('GET', '/forward').toString('latin1'))
    const response = await client.response()
    expectProblem(response, status)
    expect(response.headers['connection']).toBe('close')
    expect(await client.rest()).toBe('')
    await gateway.idle()
    expect(origin.requests).toHaveLength(before)
  },
)

test('C12 C13: a target with its authority is served as the path that it has, and one authority is told to upstreams', async () => {
  for (const [target, host] of [
    ['http://shop.test/forward?x=1', 'shop.test'],
    ['http://SHOP.test:8080/forward?x=1', 'shop.TEST:8080'],
    ['https://[::1]:8080/forward?x=1', '[::1]:8080'],
  ] as const) {
    const response = await ask(gateway.port, request('GET', target, { host }))
    expect(response.status).toBe(200)
    const arrived = origin.requests.at(-1)
    expect(arrived?.target).toBe('/f?x=1')
    expect(arrived?.headers).toMatchObject({ host: `127.0.0.1:${origin.port}`, 'x-forwarded-host': host })
    expect(arrived?.headers['forwarded']).toContain(`host="${host}"`)
  }
})

test('a client of HTTP/1.0 is served without a Host, and its connection closed after the response', async () => {
  await using client = await connect(gateway.port)
  client.send('GET /step HTTP/1.0\r\n\r\n')
  const response = await client.response()
  expect(response.status).toBe(200)
  expect(response.json()).toEqual({ a: { answered: true } })
  expect(await client.rest()).toBe('')
})

test.each(['TRACE', 'PROPFIND', 'BREW', 'get'])(
  'C15: the method %s is answered 501 with the methods there are',
  async (method) => {
    const response = await ask(gateway.port, request(method, '/forward'))
    expectProblem(response, 501)
    expect(response.headers['allow']).toBe('GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS')
    expect(origin.requests).toHaveLength(before)
  },
)

test('C15: CONNECT is answered 501 and no tunnel is made', async () => {
  await using client = await connect(gateway.port)
  client.send(
    `CONNECT 127.0.0.1:${origin.port} HTTP/1.1\r\nHost: 127.0.0.1:${origin.port}\r\n\r\n${request('GET', '/forward').toString()}`,
  )
  const response = await client.response()
  expectProblem(response, 501)
  expect(response.headers['allow']).toContain('GET')
  expect(await client.rest()).toBe('')
  expect(origin.requests).toHaveLength(before)
})

test('C15: a client that resets as its CONNECT is answered harms nobody', async () => {
  for (let i = 0; i < 20; i++) {
    await using client = await connect(gateway.port)
    await client.sent('CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n')
    client.reset()
  }
  // An error that nobody listens for would end the process, and with it the run.
  expect((await ask(gateway.port, request('GET', '/step'))).status).toBe(200)
})

test('C16: fields that Connection names are dropped, from what is sent on and from what templates read', async () => {
  const headers = { connection: 'close, X-Secret', 'x-secret': 'mine', 'x-open': 'ours' }
  expect((await ask(gateway.port, request('GET', '/forward', headers))).status).toBe(200)
  expect(origin.requests.at(-1)?.headers).toMatchObject({ 'x-open': 'ours' })
  expect(origin.requests.at(-1)?.headers).not.toHaveProperty('x-secret')
  expect((await ask(gateway.port, request('GET', '/secret', headers))).status).toBe(200)
  expect(origin.requests.at(-1)?.headers).not.toHaveProperty('x-copy')
  // Unnamed, it is read.
  expect((await ask(gateway.port, request('GET', '/secret', { 'x-secret': 'mine' }))).status).toBe(200)
  expect(origin.requests.at(-1)?.headers['x-copy']).toBe('mine')
})

test.each([
  'authorization',
  'cookie',
  'host',
  'content-length',
  'transfer-encoding',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-anything',
  'cache-control',
])('C16: a Connection that names %s is answered 400', async (name) => {
  for (const connection of [name, `keep-alive, ${name.toUpperCase()}`, ['keep-alive', name]]) {
    const response = await ask(gateway.port, request('GET', '/forward', { connection }))
    expect(expectProblem(response, 400).detail).toContain(name)
  }
  expect(origin.requests).toHaveLength(before)
})

test('C22: an upgrade to h2c or WebSocket is ignored: the request is answered as any other, and nothing is tunnelled', async () => {
  const upgrades = [
    { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAMAAABkAAQAAP__' },
    {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'sec-websocket-version': '13',
    },
  ]
  for (const upgrade of upgrades) {
    for (const target of ['/step', '/forward']) {
      await using client = await connect(gateway.port)
      client.send(request('GET', target, upgrade))
      const response = await client.response()
      expect(response.status).toBe(200)
      expect(response.headers).not.toHaveProperty('upgrade')
      expect(origin.requests.at(-1)?.headers).not.toHaveProperty('upgrade')
      expect(origin.requests.at(-1)?.headers).not.toHaveProperty('http2-settings')
      // The connection still speaks HTTP/1.1.
      client.send(request('GET', '/step'))
      expect((await client.response()).status).toBe(200)
    }
  }
})
