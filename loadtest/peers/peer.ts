import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What `npm run bench` gives to a peer: where the origin is and how many calls a request makes. */
export interface Peer {
  readonly origin: string
  /** The paths to call, all different, `/a1` and on, as the gateway makes the same call only once per request. */
  readonly paths: readonly string[]
}

/** Reads ORIGIN and FANOUT from the environment. */
export function readPeer(): Peer {
  const count = Number(process.env['FANOUT'] ?? 3)
  return {
    origin: process.env['ORIGIN'] ?? 'http://127.0.0.1:8000',
    paths: Array.from({ length: count }, (_, index) => `/a${index + 1}`),
  }
}

/** Tells on stdout where the server listens, and ends the process when whoever started it is gone. */
export function announce(server: Server): void {
  const { port } = server.address() as AddressInfo
  console.log(`http://127.0.0.1:${port}`)
  process.stdin.on('close', () => process.exit(0)).resume()
}
