import { EventEmitter, once } from 'node:events'
import { STATUS_CODES } from 'node:http'
import { type AddressInfo, type Socket, createServer } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { type TlsOptions, createServer as createTlsServer } from 'node:tls'

/** A request as it arrived at an origin. */
export interface Arrived {
  /** The head, byte for byte, with the empty line that ends it. */
  readonly head: string
  readonly method: string
  /** Path and query, as they came. */
  readonly target: string
  /** By name in lower case; a field that came several times is joined with ", ". */
  readonly headers: Readonly<Record<string, string>>
  /** Settles with the body once it is whole, chunks put together; never, if it does not come whole. */
  readonly body: Promise<Buffer>
  /** The connection that it came on, counted from 1. */
  readonly connection: number
}

/** What an origin does when the head of a request has arrived: whatever bytes it likes to write. */
export type Script = (request: Arrived, socket: Socket) => void | Promise<void>

/** An upstream that follows a script. */
export interface Origin extends AsyncDisposable {
  readonly port: number
  readonly url: string
  /** All requests whose head has arrived, in order. */
  readonly requests: readonly Arrived[]
  /** How many connections were ever opened, and how many of them are open still. */
  readonly opened: number
  readonly open: number
  /** Waits until it holds; looks anew whenever a request arrives or a connection opens or closes. */
  until(holds: (origin: Origin) => boolean): Promise<void>
}

export interface OriginOptions {
  /** Runs as soon as a connection is there, before any request. */
  readonly connected?: (socket: Socket) => void
  /** Speaks TLS. */
  readonly tls?: TlsOptions
}

/** Starts an origin on a raw socket of 127.0.0.1; it ends with `await using`. It closes a side that its peer has closed. */
export async function startOrigin(script: Script, { connected, tls }: OriginOptions = {}): Promise<Origin> {
  const requests: Arrived[] = []
  const sockets = new Set<Socket>()
  const news = new EventEmitter().setMaxListeners(0)
  let opened = 0
  let conversations = 0

  const onConnection = (socket: Socket): void => {
    opened++
    sockets.add(socket)
    // A peer that resets is what many a test is about.
    socket.on('error', () => {})
    socket.on('close', () => {
      sockets.delete(socket)
      news.emit('news')
    })
    if (tls === undefined) converse(socket)
    news.emit('news')
  }
  const converse = (socket: Socket): void => {
    const connection = ++conversations
    socket.on('error', () => {})
    connected?.(socket)
    readRequests(socket, connection, (request) => {
      requests.push(request)
      // What a script throws is an unhandled rejection, which fails the run.
      void (async () => script(request, socket))()
      news.emit('news')
    })
  }
  const server = tls === undefined ? createServer() : createTlsServer(tls, converse)
  server.on('connection', onConnection)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo

  const origin: Origin = {
    port,
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    requests,
    get opened() {
      return opened
    },
    get open() {
      return sockets.size
    },
    async until(holds) {
      while (!holds(origin)) await once(news, 'news')
    },
    async [Symbol.asyncDispose]() {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
  return origin
}

/** Answers by path with JSON: a value, or a function of the request that gives one; 404 for all other paths. */
export function startJsonOrigin(replies: Readonly<Record<string, unknown>>): Promise<Origin> {
  return startOrigin(async (request, socket) => {
    const path = request.target.split('?', 1)[0] as string
    if (!Object.hasOwn(replies, path)) return void socket.write(response(404, {}, '{"error":"not found"}'))
    const made: unknown = replies[path]
    const value: unknown = typeof made === 'function' ? await (made as (request: Arrived) => unknown)(request) : made
    socket.write(json(value))
  })
}

/** Makes a whole response; `content-length` is the body's unless it is given. */
export function response(
  status: number,
  headers: Readonly<Record<string, string | number>>,
  body: string | Uint8Array = '',
): Buffer {
  const all = { 'content-length': Buffer.byteLength(body), ...headers }
  const fields = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n${fields.join('')}\r\n`
  return Buffer.concat([Buffer.from(head, 'latin1'), Buffer.from(body as string)])
}

/** Makes a whole response with a JSON body. */
export function json(value: unknown, status = 200, headers: Readonly<Record<string, string | number>> = {}): Buffer {
  return response(status, { 'content-type': 'application/json', ...headers }, JSON.stringify(value))
}

/** Writes byte by byte with a pause after each, until all are written or the peer has gone. */
export async function drip(socket: Socket, bytes: string | Uint8Array, everyMs: number): Promise<void> {
  for (const byte of Buffer.from(bytes as string)) {
    if (socket.destroyed || !socket.writable) return
    socket.write(Uint8Array.of(byte))
    await pause(everyMs)
  }
}

/** Takes the requests off a connection, one after the other, and tells of each when its head is there. */
function readRequests(socket: Socket, connection: number, tell: (request: Arrived) => void): void {
  let bytes: Buffer = Buffer.alloc(0)
  /** Takes what is there of the body at hand; null between requests. */
  let bodyAt: { take(): Buffer | null; whole(body: Buffer): void } | null = null

  socket.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk])
    while (step()) continue
  })

  function step(): boolean {
    if (bodyAt !== null) {
      const body = bodyAt.take()
      if (body === null) return false
      bodyAt.whole(body)
      bodyAt = null
      return true
    }
    const end = bytes.indexOf('\r\n\r\n')
    if (end === -1) return false
    const head = bytes.toString('latin1', 0, end + 4)
    bytes = bytes.subarray(end + 4)
    const [line = '', ...fields] = head.slice(0, -4).split('\r\n')
    const [method = '', target = ''] = line.split(' ')
    const headers = headersOf(fields)
    const { promise, resolve } = Promise.withResolvers<Buffer>()
    bodyAt = {
      take: headers['transfer-encoding'] === undefined ? sized(Number(headers['content-length'] ?? 0)) : chunked(),
      whole: resolve,
    }
    tell({ head, method, target, headers, body: promise, connection })
    return true
  }

  function sized(length: number): () => Buffer | null {
    return () => {
      if (bytes.length < length) return null
      const body = bytes.subarray(0, length)
      bytes = bytes.subarray(length)
      return body
    }
  }

  function chunked(): () => Buffer | null {
    const chunks: Buffer[] = []
    return () => {
      for (;;) {
        const end = bytes.indexOf('\r\n')
        const size = end === -1 ? NaN : Number.parseInt(bytes.toString('latin1', 0, end), 16)
        if (end === -1 || bytes.length < end + 4 + size) return null
        chunks.push(bytes.subarray(end + 2, end + 2 + size))
        bytes = bytes.subarray(end + 4 + size)
        if (size === 0) return Buffer.concat(chunks)
      }
    }
  }
}

function headersOf(fields: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const field of fields) {
    const at = field.indexOf(':')
    const name = field.slice(0, at).toLowerCase()
    const value = field.slice(at + 1).trim()
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`
  }
  return headers
}
