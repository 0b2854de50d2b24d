import type { Asked, Demands } from './asked.ts'
import { controlOf } from './directives.ts'
import { type Fields, lineOf } from './fields.ts'
import { prohibitsStale } from './freshness.ts'
import { contentRangeOf, holdsIfRange, rangeOf } from './range.ts'

/** What is stored, as far as it decides whether it can be used. */
export interface Held {
  readonly status: number
  readonly headers: Fields
  readonly receivedAt: number
  /** From when it came: how long it is fresh, and may be used after that while it is fetched anew. */
  readonly freshMs: number
  readonly staleMs: number
}

/**
 * Decides whether a stored reply answers a request as it is (RFC 9111 §4): `hit` while it is fresh enough, `refresh`
 * where it is to be fetched anew meanwhile, `stale` where the client does not mind; null: not before it was asked about.
 */
export function useOf(held: Held, asked: Asked, demands: Demands, now: number): 'hit' | 'refresh' | 'stale' | null {
  if (held.status === 206 && !covers(held, asked)) return null
  const leftMs = leftOf(held, now)
  if (demands.noCache || ageIn(held, now) > demands.maxAgeMs) return null
  if (leftMs > 0) return leftMs >= demands.minFreshMs ? 'hit' : null
  if (demands.minFreshMs > 0) return null
  if (-leftMs < held.staleMs) return 'refresh'
  if (demands.maxStaleMs === 0 || -leftMs > demands.maxStaleMs) return null
  const { directives } = controlOf(held.headers)
  return prohibitsStale(directives) || directives.has('s-maxage') ? null : 'stale'
}

/** How long it is still fresh: 0 or less once it is stale. A clock that was put back makes nothing younger. */
export function leftOf({ freshMs, receivedAt }: Held, now: number): number {
  return freshMs - Math.max(0, now - receivedAt)
}

/** How old it is (RFC 9111 §4.2.3); its Age field says how old it was when it came. */
export function ageIn({ headers, receivedAt }: Held, now: number): number {
  const { age } = headers
  return (age === undefined ? 0 : Number(age) * 1_000) + Math.max(0, now - receivedAt)
}

/** Whether a stored part has all the bytes that are asked for. */
function covers({ headers, receivedAt }: Held, { range, ifRange }: Asked): boolean {
  const stored = contentRangeOf(lineOf(headers, 'content-range'))
  if (stored === null || !holdsIfRange(ifRange, headers, receivedAt)) return false
  const wanted = rangeOf(range, stored.whole)
  if (wanted === null || wanted === 'unsatisfiable') return false
  return wanted.first >= stored.first && wanted.last <= stored.last
}
