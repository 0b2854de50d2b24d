import { type IncomingMessage, STATUS_CODES, type Server, type ServerResponse, createServer } from 'node:http'
import { type Socket, Server as NetServer } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import type { Hono } from 'hono'
import { randomHex } from '../call/trace.ts'
import { type Peer, passHeadAsGet } from './app.ts'
import { idOf } from './enter.ts'
import { guard } from './guard.ts'
import { type Refusal, refusalProblem } from './problem.ts'

/** Where and within which bounds clients are listened to; sizes in bytes. */
export interface ListenOptions {
  readonly host: string
  readonly port: number
  readonly limits: { readonly header: number; readonly headers: number; readonly url: number }
  /** Whether several loops listen on the port. */
  readonly shared: boolean
}

/** A server that listens. */
export interface Listening {
  readonly port: number
  /**
   * Stops without failing anyone: takes no more connections, tells those that are there to close after their next
   * response, closes those that have been silent for `quietMs`, and cuts what is left after `withinMs`. Gives the
   * number of requests that were cut.
   */
  drain(quietMs: number, withinMs: number): Promise<number>
  /** Ends all connections at once. Gives the number of requests that were cut. */
  cut(): number
}

// Above the 60 s of usual load balancers, so that it is they who close an idle connection.
const keepAliveMs = 72_000
const headMs = 10_000

/** Listens to clients. Rejects with the system's error when the address cannot be had. */
export async function listen(fetch: Hono<{ Bindings: Peer }>['fetch'], options: ListenOptions): Promise<Listening> {
  const clients = new Clients()
  const serve = getRequestListener((request, env) => fetch(request, env as Peer), { hostname: 'localhost' })
  const server = createServer(
    {
      maxHeaderSize: options.limits.header,
      headersTimeout: headMs,
      // A forward route may take in a body for as long as it takes; a step route bounds its own.
      requestTimeout: 0,
      keepAliveTimeout: keepAliveMs,
      connectionsCheckingInterval: 1_000,
      noDelay: true,
    },
    onRequest,
  )
  // The guard counts the fields itself, and could not if Node had dropped some.
  server.maxHeadersCount = 0
  server.on('checkContinue', onRequest)
  server.on('checkExpectation', (incoming: IncomingMessage, outgoing: ServerResponse) =>
    refuse(incoming, outgoing, { status: 417, detail: 'the only expectation supported is 100-continue' }),
  )
  server.on('connect', (_: IncomingMessage, socket: Socket) => {
    endWith(socket, { status: 501, detail: 'CONNECT is not supported' })
  })
  server.on('clientError', onClientError)
  server.on('connection', (socket: Socket) => clients.add(socket))

  function onRequest(incoming: IncomingMessage, outgoing: ServerResponse): void {
    clients.begin(incoming.socket, outgoing)
    const refusal = guard(incoming, options.limits)
    if (refusal !== null) return refuse(incoming, outgoing, refusal)
    passHeadAsGet(incoming)
    void serve(incoming, outgoing)
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: options.host, port: options.port, reusePort: options.shared, backlog: 2048 }, resolve)
  })
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : options.port,
    drain: (quietMs, withinMs) => drain(server, clients, quietMs, withinMs),
    cut: () => clients.cut(),
  }
}

function refuse(incoming: IncomingMessage, outgoing: ServerResponse, refusal: Refusal): void {
  const { status, headers, body } = refusalProblem(refusal, idOf(incoming))
  outgoing.writeHead(status, { ...headers, ...(refusal.closes && { connection: 'close' }) })
  outgoing.end(body)
}

const clientErrors: Readonly<Record<string, Refusal>> = {
  HPE_HEADER_OVERFLOW: { status: 431, detail: 'the header section is too large' },
  HPE_INVALID_METHOD: { status: 501, detail: 'the method is not known' },
  HPE_INVALID_VERSION: { status: 505, detail: 'the HTTP version is not supported' },
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, detail: 'the request took too long to arrive' },
}

function onClientError(error: Error & { code?: string }, socket: Socket): void {
  // Nobody is there to be told.
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  endWith(socket, clientErrors[error.code ?? ''] ?? { status: 400, detail: 'the request is not valid HTTP' })
}

function endWith(socket: Socket, refusal: Refusal): void {
  const { status, headers, body } = refusalProblem(refusal, randomHex(16))
  const all = { ...headers, 'content-length': Buffer.byteLength(body), connection: 'close' }
  const fields = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${fields.join('')}\r\n${body}`)
  // A peer that does not close its side would keep the socket for ever.
  socket.destroySoon()
}

/** Knows the connections of clients and which of them are being served. */
class Clients {
  /** For each connection, how many requests are under way and since when there are none. */
  readonly #sockets = new Map<Socket, { active: number; since: number }>()
  #closing = false

  add(socket: Socket): void {
    this.#sockets.set(socket, { active: 0, since: performance.now() })
    socket.once('close', () => this.#sockets.delete(socket))
  }

  begin(socket: Socket, outgoing: ServerResponse): void {
    const client = this.#sockets.get(socket)
    if (client === undefined) return
    client.active++
    if (this.#closing) outgoing.shouldKeepAlive = false
    outgoing.once('close', () => {
      client.active--
      client.since = performance.now()
    })
  }

  /** Has each connection closed after its next response. */
  closeAfterNext(): void {
    this.#closing = true
  }

  get size(): number {
    return this.#sockets.size
  }

  closeQuiet(forMs: number): void {
    const before = performance.now() - forMs
    for (const [socket, { active, since }] of this.#sockets) if (active === 0 && since <= before) socket.destroy()
  }

  cut(): number {
    let active = 0
    for (const [socket, client] of this.#sockets) {
      active += client.active
      socket.destroy()
    }
    return active
  }
}

// How often a draining server looks for connections that have fallen silent.
const lookMs = 50

function drain(server: Server, clients: Clients, quietMs: number, withinMs: number): Promise<number> {
  clients.closeAfterNext()
  // http.Server's own close would end idle connections now, and with them a request that is on its way.
  NetServer.prototype.close.call(server)
  const until = performance.now() + withinMs
  return new Promise((resolve) => {
    const look = setInterval(() => {
      clients.closeQuiet(quietMs)
      const late = performance.now() >= until
      if (clients.size > 0 && !late) return
      clearInterval(look)
      server.closeAllConnections()
      resolve(clients.cut())
    }, lookMs)
  })
}
