import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { chunk, connect, manyTurns, request } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { type Origin, json, startOrigin } from '../support/origin.ts'
import { expectProblem } from '../support/problem.ts'

const routes = ({ url }: Origin): string => `
upstreams: { o: { endpoints: ["${url}"] } }
routes:
  - match: GET /step/:n
    steps: { a: { call: "GET o /a/{params.n}" } }
  - match: POST /step/:n
    steps: { a: { call: { method: POST, upstream: o, path: "/a/{params.n}", body: "{body}" } } }
  - match: ANY /forward/*
    forward: o /{params.*}
`

test('many requests one after the other are served on one connection, and upstream on one as well', async () => {
  await using origin = await startOrigin(({ target }, socket) => void socket.write(json(target)))
  await using gateway = await startGateway(routes(origin))
  await using client = await connect(gateway.port)
  for (let n = 0; n < 300; n++) {
    const kind = n % 3
    if (kind === 0) client.send(request('GET', `/step/${n}`))
    if (kind === 1) client.send(request('POST', `/step/${n}`, {}, `${n}`))
    if (kind === 2)
      client.send(request('PUT', `/forward/a/${n}`, { 'transfer-encoding': 'chunked' }, '1\r\nx\r\n0\r\n\r\n'))
    const response = await client.response()
    expect(response.json()).toEqual(kind === 2 ? `/a/${n}` : { a: `/a/${n}` })
    expect(response.headers['connection']).toBe('keep-alive')
  }
  expect(origin.opened).toBe(1)
})

test('C4: 100 requests sent ahead are answered in order, and one client takes one place upstream', async () => {
  let atOnce = 0
  let most = 0
  await using origin = await startOrigin(async ({ target }, socket) => {
    most = Math.max(most, ++atOnce)
    // The earlier, the slower: what is served at once would come in another order.
    await pause(target.endsWith('0') ? 5 : 0)
    atOnce--
    socket.write(json(target))
  })
  await using gateway = await startGateway(routes(origin))
  await using client = await connect(gateway.port)
  client.send(
    Buffer.concat(
      Array.from({ length: 100 }, (_, n) => request('GET', n % 2 === 0 ? `/step/${n}` : `/forward/a/${n}`)),
    ),
  )
  for (let n = 0; n < 100; n++) {
    const response = await client.response()
    expect(response.json()).toEqual(n % 2 === 0 ? { a: `/a/${n}` } : `/a/${n}`)
  }
  expect(most).toBe(1)
  await gateway.idle()
})

test('C4: a client that sends thousands ahead is not read from until it is served, and loses none', async () => {
  const held = Promise.withResolvers<void>()
  await using origin = await startOrigin(async ({ target }, socket) => {
    await held.promise
    socket.write(json(target))
  })
  await using gateway = await startGateway(routes(origin))
  await using client = await connect(gateway.port)
  const count = 2_000
  // More bytes than all buffers between the two can hold.
  const padding = { 'x-padding': 'x'.repeat(10_000) }
  client.send(request('GET', '/step/first'))
  client.send(
    Buffer.concat(
      Array.from({ length: count }, (_, n) => request('GET', n % 100 === 0 ? `/step/${n}` : `/nowhere/${n}`, padding)),
    ),
  )
  await origin.until(({ requests }) => requests.length === 1)
  await manyTurns(gateway.port)
  expect(client.socket.writableLength).toBeGreaterThan(5_000_000)
  held.resolve()
  expect((await client.response()).json()).toEqual({ a: '/a/first' })
  for (let n = 0; n < count; n++) {
    expect((await client.response()).text).toContain(n % 100 === 0 ? `{"a":"/a/${n}"}` : `/nowhere/${n}`)
  }
  client.send(request('GET', '/step/last'))
  expect((await client.response()).json()).toEqual({ a: '/a/last' })
})

test('C4: a body that was sent ahead waits for its turn, whatever its size', async () => {
  await using origin = await startOrigin(async ({ target, body }, socket) => {
    await pause(5)
    socket.write(json({ target, length: (await body).length }))
  })
  await using gateway = await startGateway(routes(origin))
  await using client = await connect(gateway.port)
  const big = Buffer.alloc(2_000_000, 'x')
  client.send(request('GET', '/forward/1'))
  client.send(request('POST', '/forward/2', {}, big))
  client.send(request('GET', '/forward/3'))
  client.send(request('POST', '/forward/4', { 'transfer-encoding': 'chunked' }))
  client.send(Buffer.concat([chunk(big), chunk('')]))
  client.send(request('GET', '/forward/5'))
  for (const [target, length] of [
    ['/1', 0],
    ['/2', 2_000_000],
    ['/3', 0],
    ['/4', 2_000_000],
    ['/5', 0],
  ] as const) {
    expect((await client.response()).json()).toEqual({ target, length })
  }
})

test('what follows a request with Connection: close on its connection is not served', async () => {
  await using origin = await startOrigin(({ target }, socket) => void socket.write(json(target)))
  await using gateway = await startGateway(routes(origin))
  await using client = await connect(gateway.port)
  client.send(Buffer.concat([request('GET', '/step/1', { connection: 'close' }), request('GET', '/step/2')]))
  const response = await client.response()
  expect(response.json()).toEqual({ a: '/a/1' })
  expect(response.headers['connection']).toBe('close')
  expect(await client.rest()).toBe('')
  expect(origin.requests.map(({ target }) => target)).toEqual(['/a/1'])
})

test.each([
  [501, 'bytes that are no request', '\0\0\0\r\n\r\n'],
  [400, 'a request that is malformed', 'GET /step/2 HTTP/1.1\r\nHost: h\r\nX : y\r\n\r\n'],
  [501, 'a CONNECT', 'CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n'],
])('C9: the %i for %s comes behind the answer to the request before', async (status, _, bytes) => {
  const held = Promise.withResolvers<void>()
  await using origin = await startOrigin(async ({ target }, socket) => {
    await held.promise
    socket.write(json(target))
  })
  await using gateway = await startGateway(routes(origin))
  await using client = await connect(gateway.port)
  client.send(Buffer.concat([request('GET', '/step/1'), Buffer.from(bytes)]))
  await origin.until(({ requests }) => requests.length === 1)
  // More of the kind, while the first is still being served, changes nothing and leaves nothing behind.
  const warnings: Error[] = []
  const warned = (warning: Error): void => void warnings.push(warning)
  process.on('warning', warned)
  for (let i = 0; i < 20; i++) {
    await client.sent('more\r\n\r\n')
    await manyTurns(gateway.port, 10)
  }
  process.off('warning', warned)
  expect(warnings).toEqual([])
  held.resolve()
  expect((await client.response()).json()).toEqual({ a: '/a/1' })
  const last = await client.response()
  expectProblem(last, status)
  expect(last.headers['connection']).toBe('close')
  expect(await client.rest()).toBe('')
  expect(origin.requests).toHaveLength(1)
  await gateway.idle()
})

test('C9: a body that breaks off into nonsense is answered 400, behind the answers to what came before it', async () => {
  await using origin = await startOrigin(async ({ target }, socket) => {
    await pause(5)
    socket.write(json(target))
  })
  await using gateway = await startGateway(routes(origin))
  for (const path of ['/step/2', '/forward/2']) {
    await using client = await connect(gateway.port)
    client.send(request('GET', '/step/1'))
    client.send(request('POST', path, { 'transfer-encoding': 'chunked' }, '2\r\n{}\r\nzz\r\n'))
    expect((await client.response()).json()).toEqual({ a: '/a/1' })
    expectProblem(await client.response(), 400)
    expect(await client.rest()).toBe('')
  }
  await gateway.idle()
})

test('C9: nonsense from a client never lands in the middle of a response that has begun: it breaks off', async () => {
  await using origin = await startOrigin((_, socket) => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nbegun')
  })
  await using gateway = await startGateway(routes(origin))
  await using client = await connect(gateway.port)
  client.send(request('POST', '/forward/1', { 'transfer-encoding': 'chunked' }, chunk('x')))
  await client.until('begun')
  client.send('not a chunk\r\n')
  expect(await client.rest()).toBe('')
  await origin.until(({ open }) => open === 0)
  await gateway.idle()
})

test('a client of HTTP/1.0 may ask for its connection to be kept', async () => {
  await using origin = await startOrigin(({ target }, socket) => void socket.write(json(target)))
  await using gateway = await startGateway(routes(origin))
  await using client = await connect(gateway.port)
  for (let n = 0; n < 3; n++) {
    client.send(`GET /step/${n} HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n`)
    const response = await client.response()
    expect(response.json()).toEqual({ a: `/a/${n}` })
    expect(response.headers['connection']).toBe('keep-alive')
  }
})
