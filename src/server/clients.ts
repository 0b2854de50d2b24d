import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Peer } from './app.ts'

interface Client {
  /** What has been asked and not yet answered, in order: the first is being served, the others wait for it. */
  readonly exchanges: Waiting[]
  /** Since when there is none. */
  since: number
  /** Whether what the client sends can no longer be understood: whatever else it sends is not looked at. */
  lost: boolean
}

interface Waiting extends Peer {
  readonly serve: () => void
}

// A client may send requests ahead, but reading is stopped where it sends this many: they take memory.
const maxAhead = 100

/**
 * Knows the connections of clients and what is asked on each. Requests that a client sends ahead of the responses
 * (pipelining) are served one after the other: one client takes one place, and no later request overtakes an earlier
 * one that it may depend on.
 */
export class Clients {
  readonly #clients = new Map<Socket, Client>()
  #closing = false

  /** How many connections there are. */
  get size(): number {
    return this.#clients.size
  }

  /** Takes up a new connection. */
  add(socket: Socket): void {
    this.#clients.set(socket, { exchanges: [], since: performance.now(), lost: false })
    socket.once('close', () => this.#clients.delete(socket))
  }

  /** Serves a request when those before it on its connection are answered. */
  inTurn({ incoming, outgoing }: Peer, serve: () => void): void {
    const { socket } = incoming
    const client = this.#clients.get(socket)
    if (client === undefined) return serve()
    // Behind a last response there is none: what still comes is not to be carried out.
    if (!socket.writable) return
    if (this.#closing) outgoing.shouldKeepAlive = false
    outgoing.on('close', () => this.#next(client, incoming))
    client.exchanges.push({ incoming, outgoing, serve })
    if (client.exchanges.length === 1) serve()
    // Later, since Node reads on whenever it has read a request to its end.
    else if (client.exchanges.length > maxAhead) process.nextTick(() => socket.pause())
  }

  /** Ends a connection when all that was asked on it before is answered; `end` writes the last words. */
  last(socket: Socket, end: () => void): void {
    const client = this.#clients.get(socket)
    if (client === undefined) return end()
    if (client.lost) return
    client.lost = true
    // What is wrong stands in the body of the latest request, or after it.
    const latest = client.exchanges.at(-1)
    const inBody = latest?.incoming.complete === false
    const before = inBody ? client.exchanges.at(-2) : latest
    const finish = (): void => {
      // A response that has begun must not be completed by other words.
      if (inBody && latest.outgoing.headersSent) socket.destroy()
      else if (socket.writable) end()
    }
    if (before === undefined) finish()
    else before.outgoing.once('close', finish)
  }

  /** Whether an error of the parser is the end of a connection on which a body was still to come. */
  leaves(socket: Socket, error: { readonly code?: string }): boolean {
    const latest = this.#clients.get(socket)?.exchanges.at(-1)
    return error.code === 'HPE_INVALID_EOF_STATE' && latest?.incoming.complete === false
  }

  #next(client: Client, { socket, complete, method }: IncomingMessage): void {
    client.exchanges.shift()
    client.since = performance.now()
    // The rest of a GET's body, which nobody has asked for, would keep the connection for as long as it comes; the
    // bodies of other methods are drained by node-server, for a while.
    if (!complete && method === 'GET') return void socket.destroy()
    const [first] = client.exchanges
    if (first === undefined || !socket.writable) return
    if (client.exchanges.length <= maxAhead && socket.isPaused()) socket.resume()
    first.serve()
  }

  /** Has each connection closed after its next response. */
  closeAfterNext(): void {
    this.#closing = true
    for (const client of this.#clients.values()) {
      // Silence counts from here: a connection that was idle till now may be about to be used.
      client.since = performance.now()
      const last: ServerResponse | undefined = client.exchanges.at(-1)?.outgoing
      if (last?.headersSent === false) last.shouldKeepAlive = false
    }
  }

  /** Closes the connections on which nothing has been asked for so long. */
  closeQuiet(forMs: number): void {
    const before = performance.now() - forMs
    for (const [socket, { exchanges, since }] of this.#clients) {
      if (exchanges.length === 0 && since <= before) socket.destroy()
    }
  }

  /** Closes all connections. Gives the number of requests that were not answered. */
  cut(): number {
    let active = 0
    for (const [socket, { exchanges }] of this.#clients) {
      active += exchanges.length
      socket.destroy()
    }
    return active
  }
}
