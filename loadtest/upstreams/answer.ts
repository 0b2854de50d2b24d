import { createHash } from 'node:crypto'
import { STATUS_CODES, type IncomingMessage } from 'node:http'
import type { Source } from './source.ts'

/** A whole answer, ready to be sent, or to be cut short by a fault. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** Answers a request from a source: its JSON, 304 for an ETag that still holds, else problem+json. */
export function answer(source: Source, request: IncomingMessage, body: unknown): Answer {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://service')
  const [collection = '', id, ...more] = pathname.slice(1).replace(/\/$/, '').split('/')
  if (pathname === '/healthz') return json(source, { status: 'ok' }, request)

  const find = source.collections[`${plainMethod(request)} ${collection}`]
  if (find === undefined) return unknown(source, collection)
  const found = more.length > 0 ? undefined : find({ id: id && decode(id), query: searchParams, body })
  if (found === undefined) return fail(404, `${source.name} has no ${pathname}`)
  return json(source, found, request)
}

/** Says in problem+json (RFC 9457) what is wrong. */
export function fail(status: number, detail: string, headers: Record<string, string> = {}): Answer {
  const problem = { title: STATUS_CODES[status] ?? 'Fault', status, detail }
  return {
    status,
    headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store', ...headers },
    body: Buffer.from(JSON.stringify(problem)),
  }
}

function json(source: Source, value: unknown, request: IncomingMessage): Answer {
  const body = Buffer.from(JSON.stringify(value))
  const etag = `"${createHash('sha1').update(body).digest('base64url').slice(0, 16)}"`
  const headers = { 'cache-control': source.cacheControl, etag }
  if (request.headers['if-none-match'] === etag) return { status: 304, headers, body: Buffer.alloc(0) }
  return { status: 200, headers: { 'content-type': 'application/json', ...headers }, body }
}

function unknown(source: Source, collection: string): Answer {
  const allowed = Object.keys(source.collections)
    .filter((key) => key.endsWith(` ${collection}`))
    .map((key) => key.split(' ', 1)[0])
  if (allowed.length === 0) return fail(404, `${source.name} has no /${collection}`)
  return fail(405, `/${collection} takes ${allowed.join(', ')}`, { allow: allowed.join(', ') })
}

/** HEAD is GET whose body Node leaves out. */
function plainMethod({ method }: IncomingMessage): string {
  return method === 'HEAD' ? 'GET' : (method ?? 'GET')
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment // a lone % is no code that anything is known by
  }
}
