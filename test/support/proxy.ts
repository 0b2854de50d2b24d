import { once } from 'node:events'
import { type AddressInfo, type Socket, connect, createServer } from 'node:net'

/** Stands between a client and a server, and has what the server says come late. */
export interface Proxy extends AsyncDisposable {
  readonly port: number
  /** How much later it comes, in ms. */
  delayMs: number
  /** How many connections there were. */
  readonly connections: number
  /** Holds back what the server says on the so-manieth connection, until it is let go. */
  hold(connection: number): { letGo(): void; readonly held: number }
}

/** Starts a proxy to a port of this machine. */
export async function startProxy(to: number): Promise<Proxy> {
  const sockets = new Set<Socket>()
  const held = new Map<number, Buffer[]>()
  const clients: Socket[] = []
  const server = createServer((client) => {
    const at = clients.push(client) - 1
    const upstream = connect(to, '127.0.0.1')
    const give = (bytes: Buffer): void => {
      const holding = held.get(at)
      if (holding === undefined) client.write(bytes)
      else holding.push(bytes)
    }
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(one)
      // Its end is told by what follows.
      one.on('error', () => {})
      one.on('close', () => other.destroy())
    }
    client.on('data', (bytes: Buffer) => upstream.write(bytes))
    upstream.on('data', (bytes: Buffer) => {
      if (proxy.delayMs === 0) give(bytes)
      else setTimeout(() => give(bytes), proxy.delayMs)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy: Proxy = {
    port: (server.address() as AddressInfo).port,
    delayMs: 0,
    get connections() {
      return clients.length
    },
    hold(connection) {
      const pieces: Buffer[] = []
      held.set(connection, pieces)
      return {
        get held() {
          return pieces.length
        },
        letGo() {
          held.delete(connection)
          for (const bytes of pieces) clients[connection]?.write(bytes)
        },
      }
    },
    async [Symbol.asyncDispose]() {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
  return proxy
}
