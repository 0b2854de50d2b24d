import { type IncomingMessage, STATUS_CODES, type Server, type ServerResponse, createServer } from 'node:http'
import { type Socket, Server as NetServer } from 'node:net'
import type { Duplex } from 'node:stream'
import { getRequestListener } from '@hono/node-server'
import type { Hono } from 'hono'
import { randomHex } from '../call/trace.ts'
import type { Peer } from './app.ts'
import { Clients } from './clients.ts'
import { idOf } from './enter.ts'
import { guard } from './guard.ts'
import { methods } from './match.ts'
import { passHeadAsGet } from './method.ts'
import { type Refusal, refusalProblem } from './problem.ts'
import type { Refused } from './refused.ts'

/** Where and within which bounds clients are listened to; sizes in bytes. */
export interface ListenOptions {
  readonly host: string
  readonly port: number
  readonly limits: { readonly header: number; readonly headers: number; readonly url: number }
  /** Whether several loops listen on the port. */
  readonly shared: boolean
  readonly refused: Refused
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
      // The guard sees to it, and says what is wrong.
      requireHostHeader: false,
    },
    onRequest,
  )
  // The guard counts the fields itself, and could not if Node had dropped some.
  server.maxHeadersCount = 0
  server.on('checkContinue', onRequest)
  server.on('checkExpectation', (incoming: IncomingMessage, outgoing: ServerResponse) =>
    clients.inTurn({ incoming, outgoing }, () => refuse({ incoming, outgoing }, unmet, options.refused)),
  )
  server.on('connect', (incoming: IncomingMessage, socket: Duplex) => {
    // From here on Node leaves the socket to us, and with it the error of a client that resets.
    socket.on('error', () => socket.destroy())
    clients.last(incoming.socket, () =>
      endWith(socket, { status: 501, detail: 'CONNECT is not supported', headers: allow }, options.refused),
    )
  })
  server.on('clientError', (error: ClientError, socket: Socket) => {
    // Nobody is there to be told: a client that ends in the middle of a body has left, and is counted as that.
    if (error.code === 'ECONNRESET' || !socket.writable || clients.leaves(socket, error)) return void socket.destroy()
    clients.last(socket, () => endWith(socket, refusalOf(error, options.limits.url), options.refused))
  })
  server.on('connection', (socket: Socket) => clients.add(socket))

  function onRequest(incoming: IncomingMessage, outgoing: ServerResponse): void {
    clients.inTurn({ incoming, outgoing }, () => {
      const refusal = guard(incoming, options.limits)
      if (refusal !== null) return refuse({ incoming, outgoing }, refusal, options.refused)
      passHeadAsGet(incoming)
      void serve(incoming, outgoing)
    })
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

function refuse({ incoming, outgoing }: Peer, refusal: Refusal, refused: Refused): void {
  const id = idOf(incoming)
  refused(refusal, id, incoming)
  const { status, headers, body } = refusalProblem(refusal, id)
  outgoing.writeHead(status, { ...headers, ...(refusal.closes && { connection: 'close' }) })
  outgoing.end(body)
}

const allow = { allow: methods.join(', ') }
const unmet: Refusal = { status: 417, detail: 'the only expectation supported is 100-continue', closes: true }

/** What Node tells of a client that it cannot understand. */
type ClientError = Error & { readonly code?: string; readonly reason?: string; readonly rawPacket?: Buffer }

const clientErrors: Readonly<Record<string, Refusal>> = {
  HPE_HEADER_OVERFLOW: { status: 431, detail: 'the header section is too large' },
  HPE_INVALID_METHOD: { status: 501, detail: 'the method is not known', headers: allow },
  HPE_INVALID_VERSION: { status: 505, detail: 'the HTTP version is not supported' },
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, detail: 'the request took too long to arrive' },
}

const invalid: Refusal = { status: 400, detail: 'the request is not valid HTTP' }

function refusalOf({ code = '', reason, rawPacket }: ClientError, maxTarget: number): Refusal {
  // The version is fine, but what ends its line is not.
  if (reason === 'Expected CRLF after version') return invalid
  const target = code === 'HPE_HEADER_OVERFLOW' && /^[A-Z]+ ([^ \r\n]*)/.exec(rawPacket?.toString('latin1') ?? '')?.[1]
  if (target && target.length > maxTarget)
    return { status: 414, detail: `the target is longer than ${maxTarget} bytes` }
  return clientErrors[code] ?? invalid
}

function endWith(socket: Duplex, refusal: Refusal, refused: Refused): void {
  const id = randomHex(16)
  refused(refusal, id)
  const { status, headers, body } = refusalProblem(refusal, id)
  const all = { ...headers, 'content-length': Buffer.byteLength(body), connection: 'close' }
  const fields = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  // A peer that does not close its side would keep the socket for ever.
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${fields.join('')}\r\n${body}`, () => socket.destroy())
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
