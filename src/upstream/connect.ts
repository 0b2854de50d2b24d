import type { Socket } from 'node:net'
import { type TLSSocket, createSecureContext } from 'node:tls'
import { buildConnector, errors } from 'undici'
import type { Wheel } from '../call/wheel.ts'

/** How connections to an upstream are secured. The texts are PEM. */
export interface TlsOptions {
  /** The authorities that are trusted, in place of Node's own. */
  readonly ca?: string
  /** The certificate that is shown to an upstream which asks for one, and its key. */
  readonly cert?: string
  readonly key?: string
  /** The name to ask for and to find in the certificate, in place of the origin's; not an IP address. */
  readonly serverName?: string
}

/** What a connection leads to where that is not what its origin says. */
export interface ConnectorOptions {
  /** Where to connect to: an IP address. `Host`, and the name in TLS, stay the origin's. */
  readonly address?: { readonly host: string; readonly port: number }
  readonly tls?: TlsOptions | undefined
  /** Speaks HTTP/2, and nothing else: by ALPN over TLS, at once without (RFC 9113 §3.3). */
  readonly http2?: boolean | undefined
}

/**
 * Connects a pool's sockets: gives up after `connectMs`, TLS handshake included, on our own clock (undici's is
 * good to half a second), and has each connection be stricter with replies than undici is.
 */
export function connector(
  wheel: Wheel,
  connectMs: number,
  { address, tls, http2 = false }: ConnectorOptions = {},
): buildConnector.connector {
  const { serverName, ...pem } = tls ?? {}
  const open = buildConnector({
    timeout: 0,
    // Not unless asked for: undici would hold back a cold pool behind one probing connection.
    allowH2: http2,
    preferH2: http2,
    useH2c: http2,
    // Said, since Node would else let NODE_TLS_REJECT_UNAUTHORIZED switch it off.
    rejectUnauthorized: true,
    ...(!http2 && { onread }),
    ...(serverName !== undefined && { servername: serverName }),
    // Made once: Node would read certificates and key anew for each connection.
    ...(tls !== undefined && { secureContext: createSecureContext(pem) }),
  } as buildConnector.BuildOptions) as unknown as Opener
  // The name left out is that of the call's Host field, which must not decide whose certificate is good; without it
  // undici takes the origin's.
  return ({ servername: _, ...options }, callback) => {
    const where = address === undefined ? {} : { hostname: address.host, port: String(address.port) }
    const socket = open({ ...options, ...where }, (error, connected) => {
      wheel.clear(alarm)
      if (error !== null) return callback(error, null)
      // One call after the other, over what was to carry a hundred at once, would look like a slow upstream.
      if (http2 && (connected as TLSSocket).alpnProtocol !== 'h2') return callback(noHttp2(socket), null)
      callback(null, connected as Socket)
      if (!http2) tighten(connected as ParsedSocket)
    })
    const alarm = wheel.set(wheel.now() + connectMs, () => {
      socket.destroy(new errors.ConnectTimeoutError(`no connection within ${connectMs} ms`))
    })
  }
}

function noHttp2(socket: Socket): Error {
  socket.destroy()
  return new errors.HTTPParserError('the endpoint does not speak HTTP/2')
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
    const bytes = Buffer.from(buffer.subarray(0, length))
    // TLS passes on all that it has deciphered, though it was told to stop: where undici reads when it resumes.
    if (parser.paused) this.push(bytes)
    else parser.execute(bytes)
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
