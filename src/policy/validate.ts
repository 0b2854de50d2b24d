import type { Asked } from './asked.ts'
import { dateOf } from './date.ts'
import { isTag, matchesWeakly } from './etags.ts'
import { type Fields, lineOf } from './fields.ts'

/** The fields that ask whether a stored reply is still the one, `[name, value, …]`; none when there is no telling. */
export function conditionsOf(headers: Fields): string[] {
  const tag = lineOf(headers, 'etag')
  const modified = lineOf(headers, 'last-modified')
  return [
    ...(isTag(tag) ? ['if-none-match', tag] : []),
    ...(modified === undefined ? [] : ['if-modified-since', modified]),
  ]
}

/** Whether what a client has is what is stored, so that 304 answers it (RFC 9111 §4.3.2, RFC 9110 §13.2.2). */
export function isUnchanged(
  { ifNoneMatch, ifModifiedSince }: Pick<Asked, 'ifNoneMatch' | 'ifModifiedSince'>,
  headers: Fields,
  receivedAt: number,
): boolean {
  // It comes first, and where it is there the date is not looked at.
  if (ifNoneMatch !== undefined) return matchesWeakly(ifNoneMatch, lineOf(headers, 'etag'))
  const sinceMs = dateOf(ifModifiedSince, receivedAt)
  if (sinceMs === null) return false
  const modified = headers['last-modified'] === undefined ? headers['date'] : headers['last-modified']
  const modifiedMs = modified === undefined ? receivedAt : dateOf(String(modified), receivedAt)
  return modifiedMs !== null && modifiedMs <= sinceMs
}

// RFC 9111 §3.2: what a message says of its own form, and what would not be true of the stored body.
const ofTheBody: ReadonlySet<string> = new Set([
  'content-encoding',
  'content-length',
  'content-range',
  'transfer-encoding',
])

/** Brings the fields of a stored reply up to date by those of a 304, or of the answer to a HEAD (RFC 9111 §3.2). */
export function freshened(stored: Fields, fresh: Fields): Fields {
  const merged = Object.assign(Object.create(null) as Record<string, string | readonly string[] | undefined>, stored)
  // An age is that of the reply that told it.
  delete merged['age']
  for (const name of Object.keys(fresh)) if (!ofTheBody.has(name)) merged[name] = fresh[name]
  return merged
}

/** Whether a 304 speaks of a stored reply (RFC 9111 §4.3.4). */
export function isAbout(stored: Fields, fresh: Fields): boolean {
  const tag = lineOf(fresh, 'etag')
  if (tag !== undefined) return sameTag(tag, lineOf(stored, 'etag'))
  const modified = lineOf(fresh, 'last-modified')
  return modified === undefined || modified === lineOf(stored, 'last-modified')
}

function sameTag(tag: string, other: string | undefined): boolean {
  return other !== undefined && matchesWeakly(tag, other)
}

/** Whether the answer to a HEAD speaks of a stored reply (RFC 9111 §4.3.5). */
export function describes(fresh: Fields, stored: Fields, length: number): boolean {
  const told = lineOf(fresh, 'content-length')
  return (told === undefined || Number(told) === length) && isAbout(stored, fresh)
}
