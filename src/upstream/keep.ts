import type { Entry, Store } from '../cache/store.ts'
import type { CacheStatus, Call, ReplyHeaders } from '../call/call.ts'
import type { Wheel } from '../call/wheel.ts'
import { type Asked, type Demands, askedOf, demandsOf, nothing, undemanding } from '../policy/asked.ts'
import { type Control, controlOf } from '../policy/directives.ts'
import { type Life, type Times, isHeuristic, lifeOf } from '../policy/freshness.ts'
import { Recent } from '../policy/recent.ts'
import { isShareable, isStorable, storedFields } from '../policy/storable.ts'
import { conditionsOf } from '../policy/validate.ts'
import { type Place, type Selection, find, put, valueIn } from './stored.ts'

/** How long replies are kept, in ms. */
export interface CacheRules {
  /** How long a reply is fresh whatever it says; `http`: as RFC 9111 allows a shared cache. */
  readonly ttl: number | 'http'
  readonly stale: number
  readonly onError: number
  /** The share of the time since its last change for which a reply that says nothing is fresh. */
  readonly heuristic: number
}

/** What keeps the replies of an upstream on the terms of a step or of a forward route. */
export interface Keeper {
  readonly rules: CacheRules
  readonly store: Store
  readonly wheel: Wheel
  /** The time in ms since the epoch. */
  readonly now: () => number
  readonly upstream: string
  /** Tells the word that keeps a call's replies apart from those of other steps: '' for most. */
  readonly wordOf: (call: Call) => string
  /** All such words that there are. */
  readonly words: ReadonlySet<string>
  /** Of the last keys of paths: when a call may have changed what they stand for. */
  readonly changes: Recent
  /** Of the last keys: when a reply was for one client only. */
  readonly unshared: Recent
  /** The keys that are fetched anew while stale entries of theirs are used. */
  readonly refreshing: Set<string>
  /** The hosts and base paths of the upstream's endpoints. */
  readonly origin: { readonly hosts: readonly string[]; readonly bases: readonly string[] }
  /** The largest body that is kept of a reply while it is passed on. */
  readonly maxBytes: number
  /** Whether JSON is taken without a check. */
  readonly trusted: boolean
  readonly count: (status: CacheStatus) => void
}

/** What of a call its replies are stored and found by. */
export interface Request {
  readonly call: Call
  readonly asked: Asked
  readonly demands: Demands
  readonly selection: Selection
}

/** Reads a call as the rules have it: with a TTL whoever asks has no say in how long a reply is used. */
export function requestOf({ rules }: Keeper, call: Call): Request {
  const isHttp = rules.ttl === 'http'
  const isStep = call.sink === undefined
  const asked = isStep && !isHttp ? nothing : askedOf(call.headers)
  const valueOf = valueIn(call)
  return {
    call,
    asked,
    demands: isHttp ? demandsOf(asked) : undemanding,
    selection: { apart: apartOf(call, asked, isHttp || isStep ? undefined : valueOf('cookie')), valueOf },
  }
}

/** One client's credentials never meet another's reply; where nobody speaks of Vary, nor do cookies. */
function apartOf({ apart = '' }: Call, { authorization }: Asked, cookie: string | undefined): string {
  if (authorization === undefined && cookie === undefined) return apart
  return JSON.stringify([apart, authorization, cookie])
}

/** An entry as the rules have it: with a TTL it is theirs that counts, whoever stored it. */
export function heldBy({ rules }: Keeper, entry: Entry): Entry {
  const { ttl, stale, onError } = rules
  if (ttl === 'http' || (entry.freshMs === ttl && entry.staleMs === stale && entry.onErrorMs === onError)) return entry
  return { ...entry, freshMs: ttl, staleMs: stale, onErrorMs: onError }
}

/** A reply as it came. */
export interface Arrived {
  readonly status: number
  readonly headers: ReplyHeaders
  readonly times: Times
}

/** Works out how long a reply may be used; null when it may not be stored. */
export function lifeFor({ rules }: Keeper, request: Request, { status, headers, times }: Arrived): Life | null {
  const { asked, demands, call } = request
  if (rules.ttl !== 'http') {
    const fits = call.sink === undefined ? call.accept(status) : isHeuristic(status, new Map())
    // A step's replies vary by nothing that is not in their key.
    const varies = call.sink === undefined ? { ...headers, vary: undefined } : headers
    if (!fits || status === 206 || !isShareable(status, varies)) return null
    return { ageMs: 0, freshMs: rules.ttl, staleMs: rules.stale, onErrorMs: rules.onError }
  }
  const control = controlOf(headers)
  const about = { authorized: asked.authorization !== undefined, demands }
  if (!isStorable(status, headers, control, about)) return null
  const allowed = { heuristic: rules.heuristic, staleMs: rules.stale, onErrorMs: rules.onError }
  const life = lifeOf(status, headers, control, times, allowed)
  return isUseful(headers, life) ? life : null
}

/** Whether an entry is of any use: while it is fresh, or after that. */
function isUseful(headers: ReplyHeaders, { freshMs, staleMs, onErrorMs }: Life): boolean {
  return freshMs > 0 || conditionsOf(headers).length > 0 || freshMs + Math.max(staleMs, onErrorMs) > 0
}

/** Makes an entry of a reply. */
export function entryOf(
  keeper: Keeper,
  { call }: Request,
  { status, headers, times }: Arrived,
  life: Life,
  body: Uint8Array,
): Entry {
  const fields = storedFields(headers, controlOf(headers))
  if (call.sink === undefined) tidy(fields)
  // From now on it is ours to say how old it is.
  delete fields['age']
  if (life.ageMs >= 1_000) fields['age'] = String(Math.floor(life.ageMs / 1_000))
  const { freshMs, staleMs, onErrorMs } = life
  const tags = call.tags?.() ?? []
  const json = call.decode === 'json' && !keeper.trusted
  return { status, headers: fields, body, ...times, json, vary: {}, tags, freshMs, staleMs, onErrorMs }
}

function tidy(fields: ReturnType<typeof storedFields>): void {
  // A step's replies vary by nothing that is not in their key.
  delete fields['vary']
  if (fields['content-encoding'] === undefined) return
  // The body was decoded: it is not the bytes any more that a strong validator speaks of.
  const { etag } = fields
  if (typeof etag === 'string' && !etag.startsWith('W/')) fields['etag'] = `W/${etag}`
  delete fields['content-encoding']
  delete fields['content-length']
}

// How long an entry is kept to be asked about, or for a client that does not mind its age.
const validatableMs = 3_600_000
const otherMs = 60_000
const maxKeepMs = 365 * 86_400_000

/** Stores an entry, for as long as it may be of use. False when it is of none. */
export function keep({ store, changes }: Keeper, { selection, asked }: Request, place: Place, entry: Entry): boolean {
  const { headers, freshMs, staleMs, onErrorMs, requestedAt } = entry
  if (changes.since(place.primary, requestedAt)) return false
  const moreMs = Math.max(staleMs, onErrorMs, conditionsOf(headers).length > 0 ? validatableMs : otherMs)
  const keepMs = Math.min(Math.max(0, freshMs) + moreMs, maxKeepMs)
  const kept = put(store, place, selection, entry, keepMs)
  if (kept && asked.authorization !== undefined && isPublic(controlOf(headers))) {
    // What an origin calls public is for those without credentials too; never for those with others.
    const anonymous = { apart: '', valueOf: (name: string) => selection.valueOf(name) }
    const beside = find(store, place.primary, anonymous)
    if (beside instanceof Promise) void beside.then((at) => put(store, at, anonymous, entry, keepMs))
    else put(store, beside, anonymous, entry, keepMs)
  }
  return kept
}

function isPublic({ directives }: Control): boolean {
  return directives.has('public') || directives.has('s-maxage')
}
