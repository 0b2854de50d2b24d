import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type Received, ask, chunk, connect, request } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { type Arrived, type Origin, type Script, json, response as reply, startOrigin } from '../support/origin.ts'
import { expectProblem } from '../support/problem.ts'

const routes = ({ url }: Origin): string => `
upstreams:
  o: { endpoints: ["${url}"] }
  quick: { endpoints: ["${url}"], timeout: 200ms }
  based: { endpoints: ["${url}/base/path/"] }
  named: { endpoints: ["${url}"], headers: { x-api-key: "k{1}" } }
routes:
  - match: ANY /f/*
    forward: o /{params.*}
  - match: ANY /own-path/*
    forward: o
  - match: ANY /based/*
    forward: based /{params.*}
  - match: ANY /target/:x
    forward: o /t/{params.x}?a=1&b={params.x}
  - match: ANY /quick/*
    forward: quick /{params.*}
  - match: ANY /budget/*
    budget: 200ms
    forward: o /{params.*}
  - match: ANY /limited
    limits: { body: 1KiB }
    forward: o /l
  - match: ANY /changed
    forward: o /c
    headers:
      request: { set: { x-set: "by {headers.x-who|nobody}", cookie: "only=this" }, remove: [x-gone, accept] }
      response: { set: { x-out: "{query.q}", content-type: text/html }, remove: [server, etag] }
`

/** A gateway in front of an origin that does as it is told. */
async function between(script: Script) {
  const origin = await startOrigin(script)
  const gateway = await startGateway(routes(origin))
  return {
    origin,
    gateway,
    async [Symbol.asyncDispose]() {
      await gateway.close()
      await origin[Symbol.asyncDispose]()
    },
  }
}

const fine: Script = (_, socket) => void socket.write(json({ fine: true }))

/** The lines of a request's head that begin with one of these names. */
const lines = ({ head }: Arrived | Received, ...names: string[]): string[] =>
  head.split('\r\n').filter((line) => names.includes((line.split(':', 1)[0] as string).toLowerCase()))

test.each(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])(
  '%s is passed on with its path, query and body',
  async (method) => {
    await using all = await between(async ({ target, body }, socket) => {
      const answer = `${target} ${String(await body)}`
      if (method === 'HEAD') socket.write(reply(200, { 'content-length': answer.length }))
      else socket.write(reply(200, {}, answer))
    })
    const { origin, gateway } = all
    await using client = await connect(gateway.port)
    client.send(request(method, '/f/a/b?c=d&c=e'))
    const bare = await client.response(method)
    client.send(request(method, '/f/a?b', {}, 'a body'))
    const sized = await client.response(method)
    client.send(request(method, '/f/a', { 'transfer-encoding': 'chunked' }, '2\r\na \r\n4\r\nbody\r\n0\r\n\r\n'))
    const chunked = await client.response(method)
    expect(origin.requests.map((one) => one.method)).toEqual([method, method, method])
    const [first, second, third] = origin.requests as [Arrived, Arrived, Arrived]
    expect(first.headers).not.toHaveProperty('transfer-encoding')
    expect(['0', undefined]).toContain(first.headers['content-length'])
    expect(second.headers).toMatchObject({ 'content-length': '6' })
    // A body in chunks that is there already as a whole may as well be sent by its length.
    expect(third.headers['transfer-encoding'] ?? third.headers['content-length']).toMatch(/^(?:chunked|6)$/)
    for (const one of [second, third]) expect(String(await one.body)).toBe('a body')
    const texts = ['/a/b?c=d&c=e ', '/a?b a body', '/a a body']
    for (const [i, one] of [bare, sized, chunked].entries()) {
      expect(one.status).toBe(200)
      expect(one.headers['content-length']).toBe(`${texts[i]?.length}`)
      expect(one.text).toBe(method === 'HEAD' ? '' : texts[i])
    }
  },
)

test('a request of which nothing is to be sent has no length, unless its method is one that sends', async () => {
  await using all = await between(fine)
  const { origin, gateway } = all
  for (const [method, length] of [
    ['GET', undefined],
    ['POST', '0'],
    ['PUT', '0'],
  ] as const) {
    await ask(gateway.port, request(method, '/f/a', method === 'GET' ? {} : { 'content-length': '0' }))
    expect(origin.requests.at(-1)?.headers['content-length']).toBe(length)
  }
})

test('the target is the path that the route gives, below the base path of the endpoint', async () => {
  await using all = await between(fine)
  for (const [target, arrived] of [
    ['/f/a/b', '/a/b'],
    ['/f', '/'],
    ['/own-path/a?b=c', '/own-path/a?b=c'],
    ['/based/a/b?c=d', '/base/path/a/b?c=d'],
    ['/target/a%20b', '/t/a%20b?a=1&b=a%20b'],
    // A target with a query of its own takes no other.
    ['/target/x?c=d', '/t/x?a=1&b=x'],
  ] as const) {
    await ask(all.gateway.port, request('GET', target))
    expect(all.origin.requests.at(-1)?.target).toBe(arrived)
  }
})

test('fields of a request are passed on as they came, repeated ones on lines of their own', async () => {
  await using all = await between(fine)
  const headers = {
    cookie: ['a=1; b=2', 'c=3'],
    'X-Custom': ['one', 'two, three'],
    authorization: 'Bearer x',
    accept: '*/*',
    'accept-encoding': 'br',
    'if-none-match': '"x"',
    range: 'bytes=0-1',
    'user-agent': 'test',
    'x-empty': '',
    'x-latin': '\xe9',
    constructor: 'c',
    'To-String': 's',
    'content-type': 'text/x',
  }
  const raw = request('POST', '/f/a', headers, 'x').toString('latin1').replace('\r\n\r\n', '\r\n__proto__: p\r\n\r\n')
  await ask(all.gateway.port, raw)
  const arrived = all.origin.requests[0] as Arrived
  expect(lines(arrived, 'cookie')).toEqual(['cookie: a=1; b=2', 'cookie: c=3'])
  expect(lines(arrived, 'x-custom')).toEqual(['x-custom: one', 'x-custom: two, three'])
  expect(lines(arrived, 'constructor', '__proto__', 'to-string')).toEqual([
    'constructor: c',
    'to-string: s',
    '__proto__: p',
  ])
  expect(arrived.headers).toMatchObject({
    authorization: 'Bearer x',
    accept: '*/*',
    'accept-encoding': 'br',
    'if-none-match': '"x"',
    range: 'bytes=0-1',
    'user-agent': 'test',
    'x-empty': '',
    'x-latin': '\xe9',
    'content-type': 'text/x',
    'content-length': '1',
  })
})

test('C16: fields of a request that are for one hop are not passed on; Host is the endpoint\u2019s, and Via says who we are', async () => {
  await using all = await between(fine)
  const hop = {
    connection: 'keep-alive, X-Mine',
    'x-mine': '1',
    'keep-alive': 'timeout=5',
    te: 'trailers',
    trailer: 'x',
    upgrade: 'h2c',
    'proxy-connection': 'close',
    'proxy-authorization': 'Basic x',
    'proxy-authenticate': 'Basic',
    'http2-settings': 'x',
    expect: '100-continue',
    via: '1.0 before',
  }
  await ask(
    all.gateway.port,
    request('POST', '/f/a', { ...hop, 'transfer-encoding': 'chunked' }, '1\r\nx\r\n0\r\nX-Trailer: 1\r\n\r\n'),
  )
  const { headers } = all.origin.requests[0] as Arrived
  const gone = Object.keys(hop).filter((name) => name !== 'via' && name !== 'connection')
  for (const name of gone) expect(headers).not.toHaveProperty(name)
  expect(headers).not.toHaveProperty('x-trailer')
  expect(headers['connection']).not.toMatch(/mine/i)
  expect(headers).toMatchObject({ host: `127.0.0.1:${all.origin.port}`, via: '1.0 before, 1.1 oneloop' })
  await ask(all.gateway.port, request('GET', '/f/a'))
  expect(all.origin.requests[1]?.headers['via']).toBe('1.1 oneloop')
})

test('a trace that a client has begun is gone on with, and one that is not valid is begun anew', async () => {
  await using all = await between(fine)
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  await ask(all.gateway.port, request('GET', '/f/a', { traceparent, tracestate: 'a=b' }))
  const going = all.origin.requests[0] as Arrived
  expect(lines(going, 'traceparent')).toHaveLength(1)
  expect(going.headers['traceparent']).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/)
  expect(going.headers['traceparent']).not.toBe(traceparent)
  expect(going.headers['tracestate']).toBe('a=b')
  for (const bad of ['junk', '00-00000000000000000000000000000000-b7ad6b7169203331-01', `${traceparent}-x`]) {
    await ask(all.gateway.port, request('GET', '/f/a', { traceparent: bad }))
    expect(all.origin.requests.at(-1)?.headers['traceparent']).toMatch(
      /^00-(?!0af7651916cd43dd|0{32})[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/,
    )
  }
})

test('a reply of any status is passed back as it is, with its body', async () => {
  await using all = await between(({ target }, socket) => {
    socket.write(reply(Number(target.slice(1)), { 'x-own': 'field', 'retry-after': '7' }, 'its own words'))
  })
  await using client = await connect(all.gateway.port)
  const counts = { ok: 0, unaccepted_status: 0 }
  for (const status of [200, 201, 203, 206, 301, 302, 400, 401, 404, 407, 409, 429, 500, 502, 503, 599]) {
    client.send(request('GET', `/f/${status}`))
    const response = await client.response()
    expect(response).toMatchObject({ status, text: 'its own words' })
    expect(response.headers).toMatchObject({ 'x-own': 'field', 'retry-after': '7', 'content-length': '13' })
    counts[status < 500 ? 'ok' : 'unaccepted_status']++
  }
  await all.gateway.idle()
  for (const [result, count] of Object.entries(counts))
    expect(all.gateway.read('oneloop.requests', { result })).toBe(count)
})

test('a reply that has no body, 204 or 304, is passed back without one', async () => {
  await using all = await between(
    ({ target }, socket) => void socket.write(`HTTP/1.1 ${target.slice(1)} X\r\netag: "e"\r\n\r\n`),
  )
  await using client = await connect(all.gateway.port)
  for (const status of [204, 304, 204]) {
    client.send(request('GET', `/f/${status}`))
    const response = await client.response()
    expect(response).toMatchObject({ status, text: '' })
    expect(response.headers).toMatchObject({ etag: '"e"' })
    expect(response.headers).not.toHaveProperty('content-length')
  }
})

test('interim replies are not passed back, and the reply behind them is', async () => {
  await using all = await between((_, socket) => {
    socket.write('HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n')
    socket.write(reply(200, {}, 'late'))
  })
  const response = await ask(all.gateway.port, request('GET', '/f/a'))
  expect(response).toMatchObject({ status: 200, text: 'late', interim: [] })
  expect(response.headers).not.toHaveProperty('link')
})

test('C16: fields of a reply are passed back, repeated ones on lines of their own, but those that are for one hop', async () => {
  await using all = await between((_, socket) => {
    socket.write(
      Buffer.from(
        'HTTP/1.1 200 Fine\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nSet-Cookie: a=1; Path=/\r\nset-cookie: b=2\r\nLink: </a>\r\nLink: </b>\r\n' +
          'Connection: keep-alive, X-Hop\r\nConnection: x-other\r\nX-Hop: 1\r\nX-Other: 1\r\nKeep-Alive: timeout=9\r\nProxy-Authenticate: Basic\r\n' +
          'Trailer: x\r\nUpgrade: h2c\r\nServer: origin\r\nX-Accent: caf\u00e9 \u20ac\r\nX-Request-Id: another\r\n__proto__: p\r\nContent-Length: 2\r\n\r\nok',
      ),
    )
  })
  const response = await ask(all.gateway.port, request('GET', '/f/a', { 'x-request-id': 'mine' }))
  expect(response.all('set-cookie')).toEqual(['a=1; Path=/', 'b=2'])
  expect(response.all('link')).toEqual(['</a>', '</b>'])
  expect(response.headers).toMatchObject({
    server: 'origin',
    date: 'Mon, 01 Jan 2024 00:00:00 GMT',
    connection: 'keep-alive',
  })
  expect(Buffer.from(response.headers['x-accent'] as string, 'latin1').toString()).toBe('caf\u00e9 \u20ac')
  for (const name of ['x-hop', 'x-other', 'proxy-authenticate', 'trailer', 'upgrade'])
    expect(response.headers).not.toHaveProperty(name)
  expect(response.headers['keep-alive']).not.toBe('timeout=9')
  // The upstream was told our id: whatever it says, that is what this request can be found by.
  expect(response.all('x-request-id')).toEqual(['mine'])
  expect(lines(response, '__proto__')).toEqual(['__proto__: p'])
})

test('trailers of a reply are not passed back, and its body is', async () => {
  await using all = await between((_, socket) => {
    socket.write('HTTP/1.1 200 OK\r\nTrailer: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: 1\r\n\r\n')
  })
  const response = await ask(all.gateway.port, request('GET', '/f/a'))
  expect(response).toMatchObject({ text: 'ok', whole: true })
})

test('a route sets and removes fields on either side', async () => {
  await using all = await between(
    (_, socket) => void socket.write(reply(200, { server: 'x', etag: '"e"', 'content-type': 'text/plain' }, 'x')),
  )
  const sent = { 'x-gone': '1', accept: '*/*', 'x-who': 'me', cookie: ['a=1', 'b=2'] }
  const response = await ask(all.gateway.port, request('GET', '/changed?q=a%20b', sent))
  expect(response.headers).toMatchObject({ 'x-out': 'a b', 'content-type': 'text/html' })
  for (const name of ['server', 'etag']) expect(response.headers).not.toHaveProperty(name)
  const arrived = all.origin.requests[0] as Arrived
  expect(arrived.headers['x-set']).toBe('by me')
  expect(lines(arrived, 'cookie')).toEqual(['cookie: only=this'])
  for (const name of ['x-gone', 'accept']) expect(arrived.headers).not.toHaveProperty(name)
  // A value that is not there leaves its field out.
  const bare = await ask(all.gateway.port, request('GET', '/changed'))
  expect(bare.headers).not.toHaveProperty('x-out')
  expect(all.origin.requests[1]?.headers['x-set']).toBe('by nobody')
})

test('U1: an upstream that is down is told as 502, with a body as well as without, and the connection goes on', async () => {
  await using all = await between(fine)
  await all.origin[Symbol.asyncDispose]()
  await using client = await connect(all.gateway.port)
  for (const body of ['', 'a body']) {
    client.send(request('POST', '/f/a', {}, body))
    const problem = expectProblem(await client.response(), 502)
    expect(problem).toMatchObject({ error: 'connection_refused' })
    // No next hop is told to clients.
    expect(JSON.stringify(problem)).not.toContain(`${all.origin.port}`)
  }
  await all.gateway.idle()
  expect(all.gateway.lines).toHaveLength(2)
})

test('U1: an upstream that is down while megabytes are being sent is told as 502, and the rest is not waited for', async () => {
  await using all = await between(fine)
  await all.origin[Symbol.asyncDispose]()
  await using client = await connect(all.gateway.port)
  client.send(request('POST', '/f/a', { 'content-length': '50000000' }, Buffer.alloc(1_000_000)))
  const response = await client.response()
  expectProblem(response, 502)
  expect(response.headers['connection']).toBe('close')
  await client.rest()
  await all.gateway.idle()
})

test('U2: an upstream that closes before it answers is told as 502', async () => {
  await using all = await between((_, socket) => void socket.end())
  for (const body of ['', 'a body']) {
    const problem = expectProblem(await ask(all.gateway.port, request('POST', '/f/a', {}, body)), 502)
    expect(problem.error).toBe('connection_terminated')
  }
  await all.gateway.idle()
})

test('U5: an upstream that does not answer in time is told as 504, by its own timeout or by the budget of the route', async () => {
  await using all = await between(() => {})
  for (const path of ['/quick/a', '/budget/a']) {
    const began = performance.now()
    const problem = expectProblem(await ask(all.gateway.port, request('POST', path, {}, 'x')), 504)
    expect(problem.error).toBe('http_response_timeout')
    const took = performance.now() - began
    expect(took).toBeGreaterThan(190)
    expect(took).toBeLessThan(1_900)
  }
  await all.origin.until(({ open }) => open === 0)
  await all.gateway.idle()
})

test('once the head of a reply is there, neither timeout nor budget cuts the stream behind it', async () => {
  await using all = await between(async (_, socket) => {
    socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n')
    for (const word of ['one ', 'two ', 'three']) {
      await pause(150)
      socket.write(chunk(word))
    }
    socket.write(chunk(''))
  })
  const [quick, budget] = await Promise.all(
    ['/quick/a', '/budget/a'].map((path) => ask(all.gateway.port, request('GET', path))),
  )
  for (const response of [quick, budget])
    expect(response).toMatchObject({ status: 200, text: 'one two three', whole: true })
  await all.gateway.idle()
})

test('bodies of megabytes arrive as they were sent, both ways, by length and in chunks', async () => {
  const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
  await using all = await between(async ({ headers, body }, socket) => {
    const bytes = await body
    if (headers['x-as'] === 'length') return void socket.write(reply(200, { 'x-hash': hash(bytes) }, bytes))
    socket.write(`HTTP/1.1 200 OK\r\nx-hash: ${hash(bytes)}\r\ntransfer-encoding: chunked\r\n\r\n`)
    for (let at = 0; at < bytes.length; at += 70_000) socket.write(chunk(bytes.subarray(at, at + 70_000)))
    socket.write(chunk(''))
  })
  await using client = await connect(all.gateway.port)
  for (const size of [1, 65_536, 1_500_000]) {
    const bytes = randomBytes(size)
    client.send(request('POST', '/f/a', { 'x-as': 'length' }, bytes))
    const sized = await client.response()
    client.send(request('POST', '/f/a', { 'x-as': 'chunks', 'transfer-encoding': 'chunked' }))
    for (let at = 0; at < size; at += 100_000) client.send(chunk(bytes.subarray(at, at + 100_000)))
    client.send(chunk(''))
    const chunked = await client.response()
    for (const response of [sized, chunked]) {
      expect(response.headers['x-hash']).toBe(hash(bytes))
      expect(response.body.equals(bytes)).toBe(true)
    }
  }
  await all.gateway.idle()
})

test('C7: a body over the limit of a forward route is answered 413: by its length before anything is sent, else when it is there', async () => {
  await using all = await between(async ({ body }, socket) => void socket.write(json((await body).length)))
  const { gateway, origin } = all
  expect((await ask(gateway.port, request('POST', '/limited', {}, 'x'.repeat(1_024)))).json()).toBe(1_024)
  expectProblem(await ask(gateway.port, request('POST', '/limited', {}, 'x'.repeat(1_025))), 413)
  const asking = await ask(
    gateway.port,
    request('POST', '/limited', { expect: '100-continue', 'content-length': '1025' }),
  )
  expectProblem(asking, 413)
  expect(asking.interim).toEqual([])
  expect(origin.requests).toHaveLength(1)
  const chunks = (...sizes: number[]) => Buffer.concat(sizes.map((size) => chunk('x'.repeat(size))))
  const chunked = request('POST', '/limited', { 'transfer-encoding': 'chunked' })
  expect((await ask(gateway.port, Buffer.concat([chunked, chunks(1_000, 24, 0)]))).json()).toBe(1_024)
  await using client = await connect(gateway.port)
  client.send(Buffer.concat([chunked, chunks(1_000)]))
  await origin.until(({ requests }) => requests.length === 3)
  client.send(chunks(25, 0))
  const over = await client.response()
  expectProblem(over, 413)
  expect(over.headers['connection']).toBe('close')
  await gateway.idle()
  // Of a body that is refused the upstream must not take a part for the whole.
  const whole = origin.requests[2]?.body.then(() => 'whole')
  await origin.until(({ opened, open }) => open < opened)
  expect(await Promise.race([whole, Promise.resolve('broken off')])).toBe('broken off')
  expect(gateway.read('oneloop.requests', { 'http.route': 'ANY /limited', result: 'client_error' })).toBe(3)
})

test('a client that asks before it sends its body is told to go on, and the body arrives', async () => {
  await using all = await between(async ({ body }, socket) => void socket.write(json(String(await body))))
  await using client = await connect(all.gateway.port)
  client.send(request('POST', '/f/a', { expect: '100-continue', 'content-length': '6' }))
  await client.until('HTTP/1.1 100 Continue\r\n\r\n')
  client.send('a body')
  expect((await client.response()).json()).toBe('a body')
  expect(all.origin.requests[0]?.headers).not.toHaveProperty('expect')
})

test('U26: an answer that comes before the body is sent is passed back, and what follows is served', async () => {
  await using all = await between(
    ({ method }, socket) => void socket.write(method === 'POST' ? reply(413, {}, 'too much') : json('next')),
  )
  await using client = await connect(all.gateway.port)
  client.send(request('POST', '/f/a', { 'content-length': '300000' }, 'begun'))
  expect(await client.response()).toMatchObject({ status: 413, text: 'too much' })
  client.send(Buffer.alloc(300_000 - 5))
  client.send(request('GET', '/f/a'))
  expect((await client.response()).json()).toBe('next')
  await all.gateway.idle()
})

const begun = (framing: string, body: string): string => `HTTP/1.1 200 OK\r\n${framing}\r\n\r\n${body}`
const inChunks = 'transfer-encoding: chunked'
const breaks: readonly (readonly [how: string, error: string, visibly10: string, script: Script])[] = [
  [
    'by length, closed',
    'http_response_incomplete',
    '',
    (_, socket) => void socket.end(begun('content-length: 100', 'begun')),
  ],
  [
    'by length, reset',
    'http_response_incomplete',
    '',
    (_, socket) => void socket.write(begun('content-length: 100', 'begun'), () => socket.resetAndDestroy()),
  ],
  [
    'in chunks, closed',
    'http_response_incomplete',
    'reset',
    (_, socket) => void socket.end(begun(inChunks, '5\r\nbegun\r\n')),
  ],
  [
    'in chunks, reset',
    'http_response_incomplete',
    'reset',
    (_, socket) => void socket.write(begun(inChunks, '5\r\nbegun\r\n'), () => socket.resetAndDestroy()),
  ],
  [
    'within a chunk',
    'http_response_incomplete',
    'reset',
    (_, socket) => void socket.end(begun(inChunks, 'ff\r\nbegun')),
  ],
  [
    'with a chunk that is none',
    'http_protocol_error',
    'reset',
    (_, socket) => void socket.write(begun(inChunks, '5\r\nbegun\r\nzz\r\n')),
  ],
]

test.each(breaks)(
  'U3 U4: a reply that breaks off (%s) breaks off visibly, and is told of once as %s',
  async (_, error, ended, script) => {
    await using all = await between(script)
    for (const version of ['1.1', '1.0']) {
      await using client = await connect(all.gateway.port)
      client.send(`GET /f/a HTTP/${version}\r\nHost: h\r\n\r\n`)
      const response = await client.response()
      expect(response).toMatchObject({ status: 200, whole: false })
      expect('begun').toContain(response.text)
      // To HTTP/1.0 an end in order would be the end of a body that has no length.
      expect(version === '1.0' && ended !== '' ? client.ended : '').toBe(version === '1.0' ? ended : '')
    }
    await all.gateway.idle()
    expect(all.gateway.read('oneloop.requests', { result: error })).toBe(2)
    expect(all.gateway.lines.map(({ fields }) => fields['reason'])).toEqual([error, error])
    expect(all.origin.open).toBe(0)
  },
)

test('the permits of calls that were answered, failed and broken off are free again', async () => {
  await using origin = await startOrigin(({ target }, socket) => {
    if (target === '/fine') socket.write(json(1))
    else socket.end(target === '/broken' ? 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegun' : '')
  })
  await using gateway = await startGateway(`
upstreams: { o: { endpoints: ["${origin.url}"], limit: { max: 1, queue: 0 } } }
routes: [{ match: ANY /*, forward: o }]`)
  for (const path of ['/fine', '/broken', '/failed', '/fine', '/failed', '/broken', '/fine']) {
    const { status } = await ask(gateway.port, request('GET', path))
    expect({ path, status }).toEqual({ path, status: path === '/failed' ? 502 : 200 })
  }
  await gateway.idle()
})
