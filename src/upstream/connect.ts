import type { Socket } from 'node:net'
import { type TLSSocket, createSecureContext } from 'node:tls'
import { buildConnector, errors } from 'undici'
import type { Wheel } from '../call/wheel.ts'
import type { Ledger } from '../telemetry/ledger.ts'
import { type ParsedSocket, onreadWith, tighten } from './parser.ts'

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
  /** How many calls may be written to a connection in one turn of the loop. */
  readonly pipelining?: number
  readonly ledger: Ledger
}

/**
 * Connects a pool's sockets: gives up after `connectMs`, TLS handshake included, on our own clock (undici's is
 * good to half a second), and has each connection be stricter with replies than undici is.
 */
export function connector(
  wheel: Wheel,
  connectMs: number,
  { address, tls, http2 = false, pipelining = 1, ledger }: ConnectorOptions,
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
    ...(!http2 && { onread: onreadWith(ledger) }),
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
      ledger.switch(0, null)
      if (!http2) tighten(connected as ParsedSocket)
      if (pipelining > 1) joinWrites(connected as Socket)
    })
    const alarm = wheel.set(wheel.now() + connectMs, () => {
      socket.destroy(new errors.ConnectTimeoutError(`no connection within ${connectMs} ms`))
    })
  }
}

/** Has what is written in one callback leave in one piece: a call to the kernel is most of what a small one costs. */
function joinWrites(socket: Socket): void {
  const { write } = socket as { write: (...parts: unknown[]) => boolean }
  let joining = false
  const joined = (...parts: unknown[]): boolean => {
    if (!joining) {
      joining = true
      socket.cork()
      process.nextTick(() => {
        joining = false
        socket.uncork()
      })
    }
    return write.apply(socket, parts)
  }
  socket.write = joined as Socket['write']
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
