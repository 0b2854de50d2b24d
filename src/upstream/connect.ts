import type { Socket } from 'node:net'
import { buildConnector, errors } from 'undici'
import type { Wheel } from '../call/wheel.ts'

/**
 * Connects a pool's sockets: gives up after `connectMs`, TLS handshake included, on our own clock (undici's is
 * good to half a second), and has each connection refuse a reply of another HTTP version.
 */
export function connector(wheel: Wheel, connectMs: number): buildConnector.connector {
  // HTTP/2 is off: undici would hold back a cold pool behind one probing connection.
  const open = buildConnector({ timeout: 0, allowH2: false }) as unknown as Opener
  return (options, callback) => {
    const socket = open(options, (error, connected) => {
      wheel.clear(alarm)
      if (error !== null) return callback(error, null)
      callback(null, connected as Socket)
      refuseOtherVersions(connected as Socket)
    })
    const alarm = wheel.set(wheel.now() + connectMs, () => {
      socket.destroy(new errors.ConnectTimeoutError(`no connection within ${connectMs} ms`))
    })
  }
}

// The types leave out that the socket is returned, which is what lets us end it.
type Opener = (
  options: buildConnector.Options,
  callback: (error: Error | null, socket: Socket | null) => void,
) => Socket

interface Parser {
  ptr: number
  readonly llhttp: { llhttp_get_http_major(ptr: number): number }
  onHeadersComplete(status: number, upgrade: boolean, keepAlive: boolean): number
}

/**
 * llhttp takes `HTTP/2.0 200` for a good status line and undici tells no one the version, so we ask the parser of
 * the connection. It is an internal of undici's: its version is pinned, and a test fails when this stops working.
 */
function refuseOtherVersions(socket: Socket): void {
  const key = Object.getOwnPropertySymbols(socket).find((symbol) => symbol.description === 'parser')
  const parser = key && (socket as unknown as Record<symbol, Parser | undefined>)[key]
  if (!parser) return
  const complete = parser.onHeadersComplete
  parser.onHeadersComplete = function (this: Parser, status, upgrade, keepAlive) {
    if (this.llhttp.llhttp_get_http_major(this.ptr) === 1) return complete.call(this, status, upgrade, keepAlive)
    socket.destroy(new errors.HTTPParserError('the reply is not of HTTP/1'))
    return -1
  }
}
