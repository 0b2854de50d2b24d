import type { Socket } from 'node:net'
import { buildConnector, errors } from 'undici'
import type { Wheel } from '../call/wheel.ts'

/**
 * Connects a pool's sockets: gives up after `connectMs`, TLS handshake included, on our own clock (undici's is
 * good to half a second), and has each connection be stricter with replies than undici is.
 */
export function connector(wheel: Wheel, connectMs: number): buildConnector.connector {
  // HTTP/2 is off: undici would hold back a cold pool behind one probing connection.
  const open = buildConnector({
    timeout: 0,
    allowH2: false,
    onread,
  } as buildConnector.BuildOptions) as unknown as Opener
  return (options, callback) => {
    const socket = open(options, (error, connected) => {
      wheel.clear(alarm)
      if (error !== null) return callback(error, null)
      callback(null, connected as Socket)
      tighten(connected as ParsedSocket)
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
  paused: boolean
  shouldKeepAlive: boolean
  readonly llhttp: { llhttp_get_http_major(ptr: number): number }
  execute(bytes: Uint8Array): void
  onHeadersComplete: (this: Parser, status: number, upgrade: boolean, keepAlive: boolean) => number
}

/** A socket with undici's parser on it, which leaves it when the connection ends. */
type ParsedSocket = Socket & Partial<Record<symbol, Parser | null>>

// undici names it by a symbol of its own, the same on all sockets.
let parserKey = Symbol('none yet')

/**
 * Has what arrives go straight to the parser, read into one buffer that all sockets share. Node would make 64 KiB for
 * each read, give most of it back, and pass the rest on through a stream: a tenth of all that a request costs.
 */
const onread = {
  buffer: Buffer.allocUnsafeSlow(64 * 1024),
  callback(this: ParsedSocket, length: number, buffer: Buffer): boolean {
    const parser = this[parserKey]
    if (!parser) return true
    // A copy, since bodies are kept as they lie in what was parsed.
    parser.execute(Buffer.from(buffer.subarray(0, length)))
    // False stops reading until undici, which resumes where it stopped, asks the socket for more.
    return !parser.paused
  },
}

/**
 * Has the parser of a connection be strict where undici is lenient. It is an internal of undici's: its version is
 * pinned, and a test fails for each of the three when this stops working.
 */
function tighten(socket: ParsedSocket): void {
  parserKey = Object.getOwnPropertySymbols(socket).find((symbol) => symbol.description === 'parser') ?? parserKey
  const parser = socket[parserKey]
  if (!parser) return
  const complete = parser.onHeadersComplete
  parser.onHeadersComplete = function (status, upgrade, keepAlive) {
    // llhttp takes `HTTP/2.0 200` for a good status line, and undici tells no one the version.
    if (this.llhttp.llhttp_get_http_major(this.ptr) !== 1) {
      socket.destroy(new errors.HTTPParserError('the reply is not of HTTP/1'))
      return -1
    }
    // An early answer: what is left of the request's body would be the first that the next request has to wait for.
    return complete.call(this, status, upgrade, keepAlive && socket.writableLength === 0)
  }
  // undici takes a reset for the end of a body that lasts until its connection ends.
  socket.prependListener('error', () => (parser.shouldKeepAlive = true))
}
