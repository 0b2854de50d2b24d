import type { Demands } from './asked.ts'
import { type Control, namedBy } from './directives.ts'
import { type Fields, lineOf } from './fields.ts'
import { isExplicit, isHeuristic, isUnqualified } from './freshness.ts'

/** What decides whether a reply may be stored, of the request that it answers. */
export interface About {
  /** Whether it was made with credentials. */
  readonly authorized: boolean
  readonly demands: Pick<Demands, 'noStore'>
}

// The final statuses of RFC 9110: what is said of any other we do not understand.
const understood: ReadonlySet<number> = new Set([
  200, 201, 202, 203, 204, 205, 206, 300, 301, 302, 303, 304, 305, 307, 308, 400, 401, 402, 403, 404, 405, 406, 407,
  408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 426, 500, 501, 502, 503, 504, 505,
])

/** Whether a shared cache may store a reply (RFC 9111 §3), and has any use for it. */
export function isStorable(status: number, headers: Fields, control: Control, about: About): boolean {
  const { directives } = control
  if (about.demands.noStore || !isShareable(status, headers)) return false
  // §5.2.2.3: to those who understand it and the status, it counts in place of no-store.
  const must = directives.has('must-understand')
  if (must && !understood.has(status)) return false
  if (directives.has('no-store') && !must) return false
  if (isUnqualified(directives, 'private')) return false
  if (about.authorized && !allowsAuthorized(control)) return false
  return isExplicit(headers, control) || (isHeuristic(status, directives) && isValidatable(headers))
}

/**
 * Whether a reply can be for more than one client, whatever anybody says of it. One that sets a cookie is not: RFC 9111
 * §7.3 leaves that to the origin, and origins have forgotten it too often.
 */
export function isShareable(status: number, headers: Fields): boolean {
  if (status === 304 || headers['set-cookie'] !== undefined || headers['trailer'] !== undefined) return false
  return !/(?:^|,)\s*\*\s*(?:,|$)/.test(lineOf(headers, 'vary') ?? '')
}

/** Whether a reply to a request with credentials may be stored all the same (RFC 9111 §3.5). */
function allowsAuthorized({ directives }: Control): boolean {
  return directives.has('public') || directives.has('must-revalidate') || directives.has('s-maxage')
}

function isValidatable(headers: Fields): boolean {
  return headers['etag'] !== undefined || headers['last-modified'] !== undefined
}

const ofTheConnection: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Copies the fields of a reply that are stored with it (RFC 9111 §3.1). */
export function storedFields(headers: Fields, { directives }: Control): Record<string, string | readonly string[]> {
  const named = new Set([
    ...(lineOf(headers, 'connection') ?? '').split(',').map((name) => name.trim().toLowerCase()),
    ...(namedBy(directives, 'no-cache') ?? []),
    ...(namedBy(directives, 'private') ?? []),
  ])
  const kept = Object.create(null) as Record<string, string | readonly string[]>
  for (const name of Object.keys(headers)) {
    const value = headers[name]
    if (value !== undefined && !ofTheConnection.has(name) && !named.has(name)) kept[name] = value
  }
  return kept
}
