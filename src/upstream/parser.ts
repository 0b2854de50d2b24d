import type { Socket } from 'node:net'
import { errors } from 'undici'
import type { Ledger } from '../telemetry/ledger.ts'
import { type Plain, readPlain } from './plain.ts'

/**
 * undici's parser of HTTP/1, around llhttp, which calls these as it goes. It is an internal of undici's: its version is
 * pinned, and tests fail for each thing that is done to it here when that stops working.
 */
interface Parser {
  ptr: number
  paused: boolean
  shouldKeepAlive: boolean
  /** The fields of a head, as a list of bytes; an object is taken for fields that are read already. */
  headers: unknown
  headersMaxSize: number
  contentLength: number
  keepAlive: string
  connection: string
  readonly llhttp: { llhttp_get_http_major(ptr: number): number }
  execute(bytes: Uint8Array): void
  onMessageBegin: (this: Parser) => number
  onHeadersComplete: (this: Parser, status: number, upgrade: boolean, keepAlive: boolean) => number
  onBody: (this: Parser, bytes: Uint8Array) => number
  onMessageComplete: (this: Parser) => number
  /** Takes plain replies past llhttp, and tells how many bytes they were: the rest is for it. */
  take?: (bytes: Buffer, length: number) => number
}

/** A socket with undici's parser on it, which leaves it when the connection ends. */
export type ParsedSocket = Socket & Partial<Record<symbol, Parser | null>>

// undici names it by a symbol of its own, the same on all sockets.
let parserKey = Symbol('none yet')

/**
 * Has what arrives go straight to the parser, read into one buffer that all sockets share. Node would make 64 KiB for
 * each read, give most of it back, and pass the rest on through a stream: a tenth of all that a request costs.
 */
export function onreadWith(ledger: Ledger) {
  return {
    buffer: readBuffer,
    callback(this: ParsedSocket, length: number, buffer: Buffer): boolean {
      const parser = this[parserKey]
      if (!parser) return true
      const taken = parser.take?.(buffer, length) ?? 0
      if (taken < length && !this.destroyed) {
        const bytes = copyOf(buffer, taken, length)
        // TLS passes on all that it has deciphered, though it was told to stop: where undici reads when it resumes.
        if (parser.paused) this.push(bytes)
        else parser.execute(bytes)
      }
      ledger.switch(0, null)
      // False stops reading until undici, which resumes where it stopped, asks the socket for more.
      return !parser.paused
    },
  }
}

const readBuffer = Buffer.allocUnsafeSlow(64 * 1024)

// Bodies are kept as they lie in what was read, and the buffer is used again.
function copyOf(buffer: Buffer, from: number, to: number): Buffer {
  const bytes = Buffer.allocUnsafe(to - from)
  buffer.copy(bytes, 0, from, to)
  return bytes
}

/** Has the parser of a connection be strict where undici is lenient, and quick where a reply is plain. */
export function tighten(socket: ParsedSocket): void {
  parserKey = Object.getOwnPropertySymbols(socket).find((symbol) => symbol.description === 'parser') ?? parserKey
  const parser = socket[parserKey]
  if (!parser) return
  const { onMessageBegin: begin, onMessageComplete: end } = parser
  const told: Told = { begin, head: strictHead(socket, parser), body: parser.onBody, end }
  // Whether nothing of a message has come since the last one ended: only there llhttp can be passed by.
  let between = true
  parser.onMessageBegin = () => {
    between = false
    return begin.call(parser)
  }
  parser.onMessageComplete = () => {
    between = true
    return end.call(parser)
  }
  parser.take = (bytes, length) => {
    let at = 0
    while (between && at < length && !socket.destroyed) {
      const plain = readPlain(bytes, at, length)
      if (plain === null || plain.bodyAt - at > parser.headersMaxSize) break
      try {
        tell(parser, told, plain, bytes)
      } catch (error) {
        socket.destroy(error as Error)
      }
      at = plain.end
    }
    return at
  }
  // undici takes a reset for the end of a body that lasts until its connection ends.
  socket.prependListener('error', () => (parser.shouldKeepAlive = true))
}

/** Gives what takes a head of which the version is known, and has the parser ask for that first. */
function strictHead(socket: Socket, parser: Parser): Parser['onHeadersComplete'] {
  const complete = parser.onHeadersComplete
  // An early answer: what is left of the request's body would be the first that the next request has to wait for.
  const head: Parser['onHeadersComplete'] = (status, upgrade, keepAlive) =>
    complete.call(parser, status, upgrade, keepAlive && socket.writableLength === 0)
  parser.onHeadersComplete = (status, upgrade, keepAlive) => {
    // llhttp takes `HTTP/2.0 200` for a good status line, and undici tells no one the version.
    if (parser.llhttp.llhttp_get_http_major(parser.ptr) === 1) return head.call(parser, status, upgrade, keepAlive)
    socket.destroy(new errors.HTTPParserError('the reply is not of HTTP/1'))
    return -1
  }
  return head
}

/** What undici is told of a reply, in this order. */
interface Told {
  readonly begin: Parser['onMessageBegin']
  readonly head: Parser['onHeadersComplete']
  readonly body: Parser['onBody']
  readonly end: Parser['onMessageComplete']
}

// What undici answers when it is told of a head: it is no use to go on, or no body follows.
const stopped = -1
const bodiless = 1

/** Tells undici of a reply as llhttp would. */
function tell(parser: Parser, told: Told, { status, headers, bodyAt, end }: Plain, bytes: Buffer): void {
  if (told.begin.call(parser) === stopped) return
  parser.headers = headers
  parser.contentLength = end - bodyAt
  parser.keepAlive = headers['keep-alive']?.toString() ?? ''
  parser.connection = headers['connection']?.toString() ?? ''
  const answer = told.head.call(parser, status, false, true)
  if (answer === stopped) return
  // What follows the head of an answer to HEAD is no body of its. That a sink asks for a pause is of no use any more.
  const hasBody = answer !== bodiless && end > bodyAt
  if (hasBody && told.body.call(parser, copyOf(bytes, bodyAt, end)) === stopped) return
  told.end.call(parser)
}
