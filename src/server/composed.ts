import { hash } from 'node:crypto'
import type { Cached, Reply } from '../call/call.ts'
import type { Plan, State } from '../plan/plan.ts'
import { type Contribution, compose } from '../policy/compose.ts'
import { matchesWeakly } from '../policy/etags.ts'
import type { Fields } from './fields.ts'

/**
 * Gives a merged response the fields by which clients and caches may keep it: what all its parts allow, how old the oldest
 * of them is, where they came from, and an ETag of its body. Gives whether it is what the client has already.
 */
export function composeFields(
  fields: Fields,
  { steps, varies }: Plan,
  state: State,
  body: string | Uint8Array,
): boolean {
  const contributions: Contribution[] = []
  let status = ''
  steps.forEach(({ name }, place) => {
    const replies = state.parts[place]?.replies ?? none
    for (const reply of replies) contributions.push(contributionOf(reply))
    const cached = worstOf(replies)
    if (cached !== undefined) status += `${status === '' ? '' : ', '}oneloop/${name}${paramsOf(cached)}`
  })
  if (status !== '') fields['cache-status'] = status
  const { cacheControl, ageS } = compose(contributions, Date.now())
  if (cacheControl === null) return false
  fields['cache-control'] = varies.some(isPersonal) ? personal(cacheControl) : cacheControl
  if (ageS > 0) fields['age'] = String(ageS)
  if (varies.length > 0) fields['vary'] = varies.join(', ')
  if (cacheControl === 'no-store') return false
  const etag = `"${hash('sha1', body, 'base64url')}"`
  fields['etag'] = etag
  const known = state.input.header('if-none-match')
  return known !== undefined && matchesWeakly(known, etag)
}

const none: readonly Reply[] = []

function contributionOf({ headers, cache }: Reply): Contribution {
  return { headers, ageS: cache?.ageS, ruledS: cache?.ruled === true ? cache.ttlS : undefined }
}

// A response that is made of what tells who asks is for whoever asked.
function isPersonal(name: string): boolean {
  return name === 'authorization' || name === 'cookie'
}

/** Has a response kept by the client only that it is for. */
export function personal(cacheControl: string): string {
  return cacheControl === 'no-store' || cacheControl.startsWith('private') ? cacheControl : `private, ${cacheControl}`
}

/** Of the replies of a step with several calls the one that a cache did least for. */
function worstOf(replies: readonly Reply[]): Cached | undefined {
  let worst: Cached | undefined
  for (const { cache } of replies) {
    if (cache !== undefined && (worst === undefined || cache.forwarded !== undefined)) worst = cache
  }
  return worst
}

/** Writes what RFC 9211 has for it: one member for each step, since each went its own way. */
function paramsOf({ status, ttlS, forwarded, stored }: Cached): string {
  const went = forwarded === undefined ? ';hit' : `;fwd=${forwarded}`
  const ttl = ttlS === undefined ? '' : `;ttl=${ttlS}`
  return `${went}${ttl}${stored === true ? ';stored' : ''}${status === 'coalesced' ? ';collapsed' : ''}`
}
