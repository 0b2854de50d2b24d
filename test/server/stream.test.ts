import { once } from 'node:events'
import type { Socket } from 'node:net'
import { expect, test } from 'vitest'
import type { Upstream } from '../../src/call/call.ts'
import { failure } from '../../src/call/failure.ts'
import { noAccounts } from '../../src/call/work.ts'
import { forwardedBy } from '../../src/server/forwarded.ts'
import { serveForward } from '../../src/server/serve.ts'
import { chunk, connect, manyTurns, request } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { type Origin, json, startOrigin } from '../support/origin.ts'
import { startServer } from '../support/server.ts'

const routes = ({ url }: Origin): string => `
upstreams: { o: { endpoints: ["${url}"], timeout: 60s } }
routes:
  - match: ANY /f/*
    budget: 60s
    forward: o /{params.*}
`

const streams = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n'

test('the head of a reply is passed on before there is a body, and each event before the next is sent', async () => {
  const sockets: Socket[] = []
  await using origin = await startOrigin((_, socket) => {
    sockets.push(socket)
    socket.write(streams)
  })
  await using gateway = await startGateway(routes(origin))
  await using client = await connect(gateway.port)
  client.send(request('GET', '/f/events', { accept: 'text/event-stream' }))
  const head = await client.head()
  expect(head.headers).toMatchObject({ 'content-type': 'text/event-stream', 'transfer-encoding': 'chunked' })
  // A gateway that waited for more would wait for ever.
  for (let n = 1; n <= 20; n++) {
    sockets[0]?.write(chunk(`data: ${n}\n\n`))
    expect(await client.until('\n\n\r\n')).toContain(`data: ${n}\n`)
  }
  sockets[0]?.write(chunk(''))
  await client.until('0\r\n\r\n')
  await gateway.idle()
  expect(gateway.read('oneloop.requests', { result: 'ok' })).toBe(1)
})

test('each piece of an upload is passed on before the next is sent, and answered while it is under way', async () => {
  await using origin = await startOrigin((_, socket) => {
    socket.write(streams)
    socket.on('data', (bytes) => {
      for (const [found] of bytes.toString().matchAll(/piece \d+\./g)) socket.write(chunk(found))
      if (bytes.toString().endsWith('0\r\n\r\n')) socket.write(chunk(''))
    })
  })
  await using gateway = await startGateway(routes(origin))
  await using client = await connect(gateway.port)
  client.send(request('POST', '/f/echo', { 'transfer-encoding': 'chunked' }, chunk('begin')))
  await client.head()
  for (let n = 1; n <= 20; n++) {
    client.send(chunk(`piece ${n}.`))
    expect(await client.until('.\r\n')).toContain(`piece ${n}.`)
  }
  client.send(chunk(''))
  await client.until('0\r\n\r\n')
  await gateway.idle()
})

// More than all buffers on the way between two sockets of this machine can hold.
const size = 60_000_000
const most = 25_000_000
const piece: Buffer = Buffer.alloc(100_000, 'x')

/** Writes as much as is taken, and tells how much has left this process for good. */
async function pour(socket: Socket, bytes = piece): Promise<void> {
  for (let written = 0; written < size && !socket.destroyed; written += piece.length) {
    if (!socket.write(bytes)) await once(socket, 'drain')
  }
}

const poured = (socket: Socket): number => socket.bytesWritten - socket.writableLength

test('a client that does not read has the upstream stand still; the rest comes when it reads on', async () => {
  const sockets: Socket[] = []
  await using origin = await startOrigin(async (_, socket) => {
    sockets.push(socket)
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n\r\n`)
    await pour(socket)
  })
  await using gateway = await startGateway(routes(origin))
  await using client = await connect(gateway.port)
  client.send(request('GET', '/f/big'))
  await client.until('xxx')
  client.pause()
  const [socket] = sockets as [Socket]
  for (let i = 0; i < 2; i++) {
    // It stands: nothing more is taken however often the loop goes round.
    await manyTurns(gateway.port)
    expect(poured(socket)).toBeLessThan(most)
  }
  client.resume()
  while (client.received < size) await once(client.socket, 'data')
  await gateway.idle()
  expect(gateway.read('oneloop.requests', { result: 'ok' })).toBe(1)
})

test.each([
  ['by its length', { 'content-length': `${size}` }],
  ['in chunks', { 'transfer-encoding': 'chunked' }],
])(
  'an upstream that does not read an upload, sent %s, has the client stand still; the rest goes when it reads on',
  async (_, framing) => {
    const sockets: Socket[] = []
    await using origin = await startOrigin(({ head }, socket) => {
      sockets.push(socket)
      // So much is not put together: it is enough to know when it has come.
      socket.removeAllListeners('data')
      socket.pause()
      socket.on('data', (bytes: Buffer) => {
        const whole =
          'content-length' in framing
            ? socket.bytesRead === head.length + size
            : bytes.toString('latin1').endsWith('\r\n0\r\n\r\n')
        if (whole) socket.write(json('all of it'))
      })
    })
    await using gateway = await startGateway(routes(origin))
    await using client = await connect(gateway.port)
    client.send(request('POST', '/f/big', framing))
    const pouring = pour(client.socket, 'content-length' in framing ? piece : chunk(piece))
    await origin.until(({ requests }) => requests.length === 1)
    for (let i = 0; i < 2; i++) {
      // It stands: nothing more is taken however often the loop goes round.
      await manyTurns(gateway.port)
      expect(poured(client.socket)).toBeLessThan(most)
    }
    sockets[0]?.resume()
    await pouring
    if ('transfer-encoding' in framing) client.send(chunk(''))
    expect((await client.response()).json()).toBe('all of it')
    await gateway.idle()
  },
)

test('a client that leaves while it does not read ends the stream', async () => {
  const sockets: Socket[] = []
  await using origin = await startOrigin(async (_, socket) => {
    sockets.push(socket)
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n\r\n`)
    for (let i = 0; i < 50 && socket.write(piece); i++) continue
  })
  await using gateway = await startGateway(routes(origin))
  await using client = await connect(gateway.port)
  client.send(request('GET', '/f/big'))
  await client.until('xxx')
  client.pause()
  await manyTurns(gateway.port)
  client.reset()
  await origin.until(({ open }) => open === 0)
  await gateway.idle()
  expect(gateway.read('oneloop.requests', { result: 'cancelled' })).toBe(1)
})

test('a stream on which nothing moves for 60 s is broken off, and one that moves now and then goes on', async () => {
  let now = 0
  let send = (_: string): void => {}
  // Has answered with a head, and sends what it is told to for as long as it is let.
  const upstream: Upstream = (call, scope) =>
    new Promise((resolve) => {
      scope.lift()
      scope.watch((why) => resolve(failure(why)))
      call.sink?.head(200, {}, () => {})
      send = (text) => void call.sink?.chunk(Buffer.from(text))
    })
  const none = { set: [], remove: new Set<string>() }
  const route = { upstream, name: 'u', accounts: noAccounts, target: null, request: none, response: none, keep: null }
  await using server = await startServer(
    (entrance) => [{ method: 'GET', path: '/', serve: serveForward(entrance, route, forwardedBy([]), Infinity) }],
    () => now,
  )
  const pass = (ms: number): void => {
    now += ms
    server.wheel.advance()
  }
  await using client = await connect(server.port)
  client.send(request('GET', '/'))
  await client.head()
  for (let n = 1; n <= 5; n++) {
    pass(59_000)
    send(`piece ${n}`)
    await client.until(`piece ${n}`)
  }
  pass(59_000)
  await manyTurns(server.port)
  expect(client.ended).toBeNull()
  pass(1_100)
  await client.rest()
  await server.idle()
  expect(server.results()).toEqual({ http_response_timeout: 1 })
  expect(server.wheel.size).toBe(0)
})
