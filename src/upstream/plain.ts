import type { ReplyHeaders } from '../call/call.ts'

/** A reply that was read whole: what it says, where its body begins, and where it ends. */
export interface Plain {
  readonly status: number
  readonly headers: ReplyHeaders
  readonly bodyAt: number
  readonly end: number
}

// Longer heads, and ones with more fields, are read by the parser, which has bounds of its own for them.
const longestHead = 4096
const mostFields = 64

// What bytes may stand for (RFC 9110 §5.5, §5.6.2).
const token = 1
const text = 2
const classes = new Uint8Array(256)
for (let byte = 0x20; byte < 0x100; byte++) if (byte !== 0x7f) classes[byte] = text
classes[0x09] = text
for (const one of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
  classes[one.charCodeAt(0)] = token | text
}

// They say how a message is framed or its connection used, or would be no plain property of the record that undici
// looks at.
const special = ['transfer-encoding', 'upgrade', 'trailer', 'proxy-connection', 'length', '__proto__']

// Names as they were written, to their lower case; null: special. A property is set and looked for by a name that V8 has
// seen before at a third of the cost. Past the bound names stay what they are, for whoever sends new ones all the time.
const names = new Map<string, string | null>(special.map((name) => [name, null]))
const mostNames = 1000

function nameOf(written: string): string | null {
  const known = names.get(written)
  if (known !== undefined) return known
  const lower = written.toLowerCase()
  const name = names.get(lower) === null ? null : lower
  if (names.size < mostNames) names.set(written, name)
  return name
}

const start = Buffer.from('HTTP/1.1 ')
const [tab, lf, cr, space, colon] = [0x09, 0x0a, 0x0d, 0x20, 0x3a]

/**
 * Reads the reply that begins at `from`, if it is all there before `to` and as plain as nearly all are: HTTP/1.1, a
 * final status that has a body, each field once and on one line, and a Content-Length. Null for all else, be it wrong,
 * only unusual or not yet whole: that is for the parser to judge, which is strict and slow.
 */
export function readPlain(bytes: Buffer, from: number, to: number): Plain | null {
  for (let i = 0; i < start.length; i++) if (bytes[from + i] !== start[i]) return null
  const statusAt = from + start.length
  const status = numberAt(bytes, statusAt, statusAt + 3)
  if (status < 200 || status > 599 || status === 204 || status === 304) return null
  const end = Math.min(to, from + longestHead)
  let at = skip(bytes, statusAt + 3, end)
  if (bytes[statusAt + 3] !== space || bytes[at] !== cr || bytes[at + 1] !== lf) return null
  at += 2
  const head = bytes.toString('latin1', from, end)
  const headers: Record<string, string> = {}
  let contentLength = -1
  for (let fields = 0; bytes[at] !== cr; fields++) {
    const nameAt = at
    while (((classes[bytes[at] as number] as number) & token) !== 0) at++
    if (at === nameAt || bytes[at] !== colon || fields === mostFields) return null
    const name = nameOf(head.slice(nameAt - from, at - from))
    do at++
    while (bytes[at] === space || bytes[at] === tab)
    const valueAt = at
    at = skip(bytes, at, end)
    const last = bytes[at - 1]
    // What ends here without CR LF is past the bound, bare, or no text at all.
    if (at === valueAt || last === space || last === tab || bytes[at] !== cr || bytes[at + 1] !== lf) return null
    const value = head.slice(valueAt - from, at - from)
    // Also what all objects have, though it is not there: `constructor`.
    if (name === null || headers[name] !== undefined) return null
    if (name === 'connection' && value !== 'keep-alive') return null
    if (name === 'content-length') contentLength = at - valueAt > 9 ? -1 : numberAt(bytes, valueAt, at)
    headers[name] = value
    at += 2
  }
  const bodyAt = at + 2
  const whole = bytes[at + 1] === lf && bodyAt <= end && contentLength !== -1 && bodyAt + contentLength <= to
  return whole ? { status, headers, bodyAt, end: bodyAt + contentLength } : null
}

function skip(bytes: Buffer, from: number, end: number): number {
  let at = from
  while (at < end && ((classes[bytes[at] as number] as number) & text) !== 0) at++
  return at
}

/** Reads digits; -1 when there is anything else. */
function numberAt(bytes: Buffer, from: number, to: number): number {
  let number = 0
  for (let i = from; i < to; i++) {
    const digit = (bytes[i] as number) - 0x30
    if (!(digit >= 0 && digit <= 9)) return -1
    number = number * 10 + digit
  }
  return number
}
