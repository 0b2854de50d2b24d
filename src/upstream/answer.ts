import type { Entry } from '../cache/store.ts'
import type { Cached, Call, Outcome, Memo, Reply, ReplyHeaders } from '../call/call.ts'
import type { Asked } from '../policy/asked.ts'
import { contentRangeOf, holdsIfRange, rangeOf } from '../policy/range.ts'
import { isUnchanged } from '../policy/validate.ts'
import { lineOf } from '../policy/fields.ts'

const memos = new WeakMap<Entry, Memo>()
const empty = new Uint8Array()
const flows = (): void => {}

/** Makes the outcome of a call of a stored reply: what a step is given, or what a sink takes. */
export function answer(entry: Entry, call: Call, asked: Asked, cached: Cached): Outcome {
  if (call.sink !== undefined) return stream(entry, call, asked, cached)
  const { status, headers } = entry
  const body = call.method === 'HEAD' ? empty : entry.body
  const reply = { ok: true, status, headers, body, cache: cached, memo: memoOf(entry) } as const
  return call.accept(status) ? reply : { ok: false, error: 'unaccepted_status', reply: { ...reply, body: empty } }
}

function memoOf(entry: Entry): Memo {
  let memo = memos.get(entry)
  if (memo === undefined) memos.set(entry, (memo = {}))
  return memo
}

function stream(entry: Entry, { method, sink }: Call, asked: Asked, cached: Cached): Reply {
  const { status, headers, body } = select(entry, asked, method)
  const fields = { ...headers, age: String(cached.ageS ?? 0), 'cache-status': statusField(headers, cached) }
  sink?.head(status, fields, flows)
  if (method !== 'HEAD' && body.length > 0) sink?.chunk(body)
  return { ok: true, status, headers: fields, body: empty, cache: cached }
}

interface Selected {
  readonly status: number
  readonly headers: ReplyHeaders
  readonly body: Uint8Array
}

/** Chooses what of an entry answers a request: all of it, that it is unchanged, or some of its bytes. */
function select(entry: Entry, asked: Asked, method: string): Selected {
  const { status, headers, body, receivedAt } = entry
  const isOk = status === 200 || status === 206
  if (isOk && isUnchanged(asked, headers, receivedAt)) return { status: 304, headers: ofTheRest(headers), body: empty }
  if (status === 206) return partOf(entry, asked)
  if (status === 200 && method === 'GET' && holdsIfRange(asked.ifRange, headers, receivedAt)) {
    const range = rangeOf(asked.range, body.length)
    if (range === 'unsatisfiable') {
      const told = { ...ofTheRest(headers), 'content-range': `bytes */${body.length}`, 'content-length': '0' }
      return { status: 416, headers: told, body: empty }
    }
    if (range !== null) return part(headers, range, body.subarray(range.first, range.last + 1))
  }
  return { status, headers: withLength(entry), body }
}

function partOf({ headers, body }: Entry, asked: Asked): Selected {
  const stored = contentRangeOf(lineOf(headers, 'content-range'))
  const range = stored && rangeOf(asked.range, stored.whole)
  // It was looked at before whether the entry has the bytes.
  if (stored === null || range === null || range === 'unsatisfiable') return { status: 206, headers, body }
  return part(headers, range, body.subarray(range.first - stored.first, range.last - stored.first + 1))
}

function part(
  headers: ReplyHeaders,
  { first, last, whole }: { first: number; last: number; whole: number },
  body: Uint8Array,
): Selected {
  const told = { 'content-range': `bytes ${first}-${last}/${whole}`, 'content-length': String(body.length) }
  return { status: 206, headers: { ...headers, ...told }, body }
}

const ofTheBody = ['content-length', 'content-encoding', 'content-type', 'content-range']

/** The fields that an answer without the body has. */
function ofTheRest(headers: ReplyHeaders): ReplyHeaders {
  const rest: Record<string, ReplyHeaders[string]> = { ...headers }
  for (const name of ofTheBody) delete rest[name]
  return rest
}

// A body that came in chunks has a length now; where none may stand, or none of a body that was never there, it has not.
function withLength({ status, headers, body }: Entry): ReplyHeaders {
  if (status === 204 || headers['content-length'] !== undefined) return headers
  return { ...headers, 'content-length': String(body.length) }
}

/** Writes Cache-Status (RFC 9211): our word behind those of caches that are nearer to the origin. */
export function statusField(headers: ReplyHeaders, { status, ttlS, forwarded, stored }: Cached): string {
  const before = lineOf(headers, 'cache-status')
  const ttl = ttlS === undefined ? '' : `;ttl=${ttlS}`
  const went = forwarded === undefined ? '' : `;fwd=${forwarded}`
  const isHit = forwarded === undefined
  const ours = `oneloop${isHit ? `;hit` : went}${ttl}${stored === true ? ';stored' : ''}${status === 'coalesced' ? ';collapsed' : ''}`
  return before === undefined ? ours : `${before}, ${ours}`
}
