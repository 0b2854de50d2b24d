import type { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'

/** One request at the origin: what would be a good reply to it, and where it goes. */
export interface Asked {
  readonly socket: Socket
  /** JSON that names the request. */
  readonly body: string
  readonly random: () => number
}

/** Answers in its own way; true when what it sent is a whole reply, after which the connection can be used again. */
export type Fault = (asked: Asked) => boolean | Promise<boolean>

/** No reply, or none that is whole, may reach a client with this in it: it is what nobody asked for. */
export const poison = '{"id":"poison"}'

const head = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n'
const chunked = `${head}transfer-encoding: chunked\r\n\r\n`

/** A whole good reply. */
export function good(body: string, status = '200 OK', fields = ''): string {
  const length = Buffer.byteLength(body)
  return `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\n${fields}content-length: ${length}\r\n\r\n${body}`
}

function says(text: (body: string) => string | Buffer, whole = false): Fault {
  return ({ socket, body }) => {
    socket.write(text(body))
    return whole
  }
}

function ends(how: (socket: Socket) => void, first: (body: string) => string = () => ''): Fault {
  return ({ socket, body }) => {
    const bytes = first(body)
    if (bytes === '') how(socket)
    else socket.write(bytes, () => how(socket))
    return false
  }
}

const close = (socket: Socket): void => void socket.end()
const reset = (socket: Socket): void => void socket.resetAndDestroy()
const half = (body: string): string => good(body).slice(0, -(body.length >> 1))

/** Bytes in pieces with pauses between them, as long as somebody reads. */
async function drip(socket: Socket, text: string, pieces: number, everyMs: number): Promise<boolean> {
  const size = Math.ceil(text.length / pieces)
  for (let at = 0; at < text.length; at += size) {
    if (!socket.writable) return false
    socket.write(text.slice(at, at + size))
    await pause(everyMs)
  }
  return true
}

// Twice what the gateway's config in gateway.ts allows a reply.
const tooMany = 128 * 1024
const bomb = gzipSync(Buffer.alloc(16 * tooMany, ' '))
const big = (text: string, fill: string): Buffer =>
  Buffer.concat([Buffer.from(text), Buffer.alloc(tooMany, fill), Buffer.from('"')])

/** What an origin can do wrong, by the rows of behaviour.md; beside each what it does. */
export const faults: Readonly<Record<string, Fault>> = {
  'U2 closed before the head': ends(close),
  'U2 reset before the head': ends(reset),
  'U2 closed in the head': ends(close, () => head),
  'U3 reset in mid-body': ends(reset, half),
  'U4 truncated length': ends(close, half),
  'U4 truncated chunks': ends(close, (body) => `${chunked}${body.length.toString(16)}\r\n${body}\r\n`),
  'U5 no answer': () => false,
  'U6 slow head': ({ socket, body }) => drip(socket, good(body), 20, 100),
  'U7 slow body': async ({ socket, body }) => {
    socket.write(`${head}content-length: ${body.length}\r\n\r\n`)
    return drip(socket, body, 8, 100)
  },
  'U8 length over the bound': says(() => big(`${head}content-length: ${tooMany + 2}\r\n\r\n"`, 'x'), true),
  'U8 chunks over the bound': says(() => {
    const chunk = big('"', 'x')
    return Buffer.concat([
      Buffer.from(`${chunked}${chunk.length.toString(16)}\r\n`),
      chunk,
      Buffer.from('\r\n0\r\n\r\n'),
    ])
  }, true),
  'U9 bad chunk': says(() => `${chunked}zz\r\n{}\r\n0\r\n\r\n`),
  'U9 bare LF': says(() => 'HTTP/1.1 200 OK\ncontent-length: 2\n\n{}'),
  'U9 NUL in a field': says(() => `${head}a: b\0c\r\ncontent-length: 2\r\n\r\n{}`),
  'U10 two lengths': says(() => `${head}content-length: 2\r\ncontent-length: 3\r\n\r\n{}`),
  'U11 length and chunked': says(
    () => `${head}transfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
  ),
  'U12 coding of transfer': says(() => `${head}transfer-encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`),
  'U13 bytes behind the reply': says((body) => good(body) + good(poison)),
  'U14 unasked 100': says((body) => `HTTP/1.1 100 Continue\r\n\r\n${good(body)}`),
  'U15 flood of 103': says((body) => 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(1_000) + good(body)),
  'U16 unasked 101': says(() => 'HTTP/1.1 101 Switching Protocols\r\n\r\n'),
  'U17 long header': says((body) => good(body, '200 OK', `a: ${'b'.repeat(20_000)}\r\n`)),
  'U17 many fields': says((body) => good(body, '200 OK', 'a: b\r\n'.repeat(3_000))),
  'U18 status 099': says((body) => good(body, '099 Odd')),
  'U18 status 600': says((body) => good(body, '600 Odd'), true),
  'U18 HTTP/2.0': says((body) => good(body).replace('1.1', '2.0')),
  'U19 no JSON': says(() => good('<!doctype html>'), true),
  'U19 byte order mark': says((body) => good(`\ufeff${body}`), true),
  'U19 deep': says(() => good('['.repeat(20_000) + ']'.repeat(20_000)), true),
  'U19 __proto__': says(() => good('{"a":{"__proto__":{"isAdmin":true}}}'), true),
  'U20 bomb': says(
    () => Buffer.concat([Buffer.from(`${head}content-encoding: gzip\r\ncontent-length: ${bomb.length}\r\n\r\n`), bomb]),
    true,
  ),
  'U21 redirect': says(() => good('{}', '302 Found', 'location: http://169.254.169.254/\r\n'), true),
  'U22 closed after the reply': ends(close, good),
  'U25 503': says(() => good('{}', '503 Service Unavailable'), true),
  'U25 503 with Retry-After': says(() => good('{}', '503 Service Unavailable', 'retry-after: 1\r\n'), true),
  'U25 429 with Retry-After': says(() => good('{}', '429 Too Many Requests', 'retry-after: 1\r\n'), true),
  slow: async ({ socket, body, random }) => {
    await pause(random() * 300)
    return socket.write(good(body)) || true
  },
  '500': says(() => good('{}', '500 Internal Server Error'), true),
  'stalls in mid-body': async ({ socket, body }) => {
    socket.write(half(body))
    await pause(1_000)
    socket.resetAndDestroy()
    return false
  },
}
