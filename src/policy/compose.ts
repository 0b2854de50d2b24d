import { directivesOf, secondsOf } from './directives.ts'
import { type Fields, lineOf } from './fields.ts'
import { isExplicit, lifeOf } from './freshness.ts'

/** What a part of a response says of how long it may be used. */
export interface Contribution {
  readonly headers: Fields
  /** Where it came from a cache of ours: how old it is. */
  readonly ageS?: number | undefined
  /** How long it is still fresh where an operator says so, whatever it says itself. */
  readonly ruledS?: number | undefined
}

/** What all parts of a response allow together. */
export interface Composed {
  /** The Cache-Control of the whole; null where no part says anything. */
  readonly cacheControl: string | null
  readonly ageS: number
}

interface Said {
  /** How long it is still fresh: undefined when it does not say. */
  readonly leftS: number | undefined
  readonly noStore: boolean
  readonly noCache: boolean
  readonly isPrivate: boolean
  readonly mustRevalidate: boolean
}

/** Composes what the parts of a response say: the least fresh of them, and the most private. `now` in ms. */
export function compose(parts: readonly Contribution[], now: number): Composed {
  let ageS = 0
  let leftS: number | undefined = Infinity
  let [says, noStore, noCache, isPrivate, mustRevalidate] = [false, false, false, false, false]
  for (const part of parts) {
    const said = saidBy(part, now)
    ageS = Math.max(ageS, part.ageS ?? 0)
    if (said === null) {
      leftS = undefined
      continue
    }
    says = true
    leftS = leftS === undefined || said.leftS === undefined ? undefined : Math.min(leftS, said.leftS)
    noStore ||= said.noStore
    noCache ||= said.noCache
    isPrivate ||= said.isPrivate
    mustRevalidate ||= said.mustRevalidate
  }
  if (!says) return { cacheControl: null, ageS }
  if (noStore) return { cacheControl: 'no-store', ageS }
  // What does not say how long it is fresh is not to be used before it was asked about.
  const fresh = noCache || leftS === undefined ? 'no-cache' : `max-age=${Math.max(0, leftS) + ageS}`
  const cacheControl = [...(isPrivate ? ['private'] : []), fresh, ...(mustRevalidate ? ['must-revalidate'] : [])]
  return { cacheControl: cacheControl.join(', '), ageS }
}

function saidBy({ headers, ageS, ruledS }: Contribution, now: number): Said | null {
  if (ruledS !== undefined) {
    return { leftS: ruledS, noStore: false, noCache: false, isPrivate: false, mustRevalidate: false }
  }
  const line = lineOf(headers, 'cache-control')
  if (line === undefined && headers['expires'] === undefined) return null
  const all = directivesOf(line)
  // s-maxage speaks to shared caches: to whom this goes on to nobody knows.
  const directives = new Map([...all].filter(([name]) => name !== 's-maxage'))
  const control = { directives, targeted: false }
  const times = { requestedAt: now, receivedAt: now }
  const life = lifeOf(200, headers, control, times, { heuristic: 0, staleMs: 0, onErrorMs: 0 })
  const lifetimeS = (life.freshMs + life.ageMs) / 1_000
  const oldS = ageS ?? life.ageMs / 1_000
  const seconds = secondsOf(directives, 'max-age')
  const explicit = seconds !== undefined || isExplicit(headers, control)
  return {
    leftS: explicit ? Math.floor((seconds ?? lifetimeS) - oldS) : undefined,
    noStore: all.has('no-store'),
    noCache: all.has('no-cache'),
    isPrivate: all.has('private'),
    mustRevalidate: all.has('must-revalidate') || all.has('proxy-revalidate'),
  }
}
