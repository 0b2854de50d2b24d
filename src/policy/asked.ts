import { directivesOf, secondsOf } from './directives.ts'

/** What of a request decides how a cache answers it: fields as they came, undefined where absent. */
export interface Asked {
  readonly cacheControl: string | undefined
  readonly pragma: string | undefined
  readonly range: string | undefined
  readonly ifRange: string | undefined
  readonly ifNoneMatch: string | undefined
  readonly ifModifiedSince: string | undefined
  readonly authorization: string | undefined
  /** Whether it has a field that may change what is asked for, and that no key knows of. */
  readonly odd: boolean
}

const places: Readonly<Record<string, keyof Asked>> = {
  'cache-control': 'cacheControl',
  pragma: 'pragma',
  range: 'range',
  'if-range': 'ifRange',
  'if-none-match': 'ifNoneMatch',
  'if-modified-since': 'ifModifiedSince',
  authorization: 'authorization',
  // A cache knows whether its reply would do, but not what an origin would say to a condition that is not met.
  'if-match': 'odd',
  'if-unmodified-since': 'odd',
  // Frameworks take these for another method or target than the one that a key is made of.
  'x-http-method': 'odd',
  'x-http-method-override': 'odd',
  'x-method-override': 'odd',
  'x-original-url': 'odd',
  'x-rewrite-url': 'odd',
}

/** Reads what of a request's fields, `[name, value, …]`, a cache looks at. */
export function askedOf(headers: readonly string[]): Asked {
  const asked: { -readonly [K in keyof Asked]: Asked[K] } = { ...nothing }
  for (let i = 0; i < headers.length; i += 2) {
    const place = places[headers[i] as string]
    if (place === undefined) continue
    if (place === 'odd') asked.odd = true
    else asked[place] = asked[place] === undefined ? headers[i + 1] : `${asked[place]}, ${headers[i + 1]}`
  }
  return asked
}

/** Asks for nothing in particular. */
export const nothing: Asked = {
  cacheControl: undefined,
  pragma: undefined,
  range: undefined,
  ifRange: undefined,
  ifNoneMatch: undefined,
  ifModifiedSince: undefined,
  authorization: undefined,
  odd: false,
}

/** What a client demands of a stored reply (RFC 9111 §5.2.1), in ms. */
export interface Demands {
  readonly noStore: boolean
  readonly noCache: boolean
  readonly onlyIfCached: boolean
  readonly maxAgeMs: number
  readonly minFreshMs: number
  readonly maxStaleMs: number
}

/** Demands nothing. */
export const undemanding: Demands = {
  noStore: false,
  noCache: false,
  onlyIfCached: false,
  maxAgeMs: Infinity,
  minFreshMs: 0,
  maxStaleMs: 0,
}

/** Reads what a client demands. `Pragma: no-cache` counts where there is no Cache-Control (RFC 9111 §5.4). */
export function demandsOf({ cacheControl, pragma }: Asked): Demands {
  if (cacheControl === undefined && pragma === undefined) return undemanding
  if (cacheControl === undefined) return { ...undemanding, noCache: /(?:^|,)\s*no-cache\s*(?:,|$)/i.test(pragma ?? '') }
  const directives = directivesOf(cacheControl)
  const ms = (name: string, otherwise: number): number => (secondsOf(directives, name) ?? otherwise / 1_000) * 1_000
  return {
    noStore: directives.has('no-store'),
    noCache: directives.has('no-cache'),
    onlyIfCached: directives.has('only-if-cached'),
    maxAgeMs: ms('max-age', Infinity),
    minFreshMs: ms('min-fresh', 0),
    // Without a value any staleness will do.
    maxStaleMs: directives.get('max-stale') === true ? Infinity : ms('max-stale', 0),
  }
}
