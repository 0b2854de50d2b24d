import { dateOf } from './date.ts'
import { isStrong } from './etags.ts'
import { type Fields, lineOf } from './fields.ts'

/** Bytes from `first` to `last`, both included, of so many in all. */
export interface Span {
  readonly first: number
  readonly last: number
  readonly whole: number
}

/**
 * Reads the one range that a Range field asks for of so many bytes (RFC 9110 §14.2): null where it is to be ignored, as
 * one of several ranges may be; `unsatisfiable` where there are no such bytes.
 */
export function rangeOf(line: string | undefined, whole: number): Span | 'unsatisfiable' | null {
  const match = /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(line ?? '')
  const [, from = '', to = ''] = match ?? []
  if (match === null || (from === '' && to === '')) return null
  if (from === '') {
    const length = Math.min(Number(to), whole)
    return length === 0 ? 'unsatisfiable' : { first: whole - length, last: whole - 1, whole }
  }
  const first = Number(from)
  const last = to === '' ? whole - 1 : Math.min(Number(to), whole - 1)
  if (to !== '' && Number(to) < first) return null
  return first >= whole ? 'unsatisfiable' : { first, last, whole }
}

/** Reads a Content-Range of known length; null for any other. */
export function contentRangeOf(line: string | undefined): Span | null {
  const match = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(line ?? '')
  if (match === null) return null
  const [first, last, whole] = match.slice(1).map(Number) as [number, number, number]
  return first <= last && last < whole ? { first, last, whole } : null
}

/** Whether an If-Range holds: only a strong validator that is the same does (RFC 9110 §13.1.5). */
export function holdsIfRange(line: string | undefined, headers: Fields, now: number): boolean {
  if (line === undefined) return true
  const tag = line.trim()
  if (tag.startsWith('"') || tag.startsWith('W/')) return isStrong(tag) && lineOf(headers, 'etag') === tag
  return isStrongDate(headers, now) && lineOf(headers, 'last-modified') === tag
}

// A date to the second says that bytes are the same only if it was long over when the reply was made.
function isStrongDate(headers: Fields, now: number): boolean {
  const modifiedMs = dateOf(lineOf(headers, 'last-modified'), now)
  const dateMs = dateOf(lineOf(headers, 'date'), now)
  return modifiedMs !== null && dateMs !== null && modifiedMs + 1_000 <= dateMs
}
