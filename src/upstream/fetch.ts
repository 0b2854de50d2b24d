import type { Entry } from '../cache/store.ts'
import type { CacheStatus, Cached, Call, Outcome, Reply, ReplyHeaders, Upstream } from '../call/call.ts'
import type { Scope } from '../call/scope.ts'
import { controlOf } from '../policy/directives.ts'
import { lineOf } from '../policy/fields.ts'
import type { Life, Times } from '../policy/freshness.ts'
import { contentRangeOf } from '../policy/range.ts'
import { ageIn, leftOf, useOf } from '../policy/reuse.ts'
import { storedFields } from '../policy/storable.ts'
import { conditionsOf, describes, freshened, isAbout } from '../policy/validate.ts'
import { answer, statusField } from './answer.ts'
import { type Arrived, type Keeper, type Request, entryOf, heldBy, keep, lifeFor } from './keep.ts'
import { lookAgain } from './share.ts'
import { type Place, find } from './stored.ts'
import { Tee, type Verdict } from './tee.ts'

/** A call on its way through a cache. */
export interface Visit {
  readonly keeper: Keeper
  readonly request: Request
  readonly next: Upstream
  readonly scope: Scope
  /** How often it has waited for others in vain. */
  readonly rounds: number
}

// Then it goes alone, whoever else asks for the same.
const maxRounds = 2

/** Fetches what is not stored, or asks whether what is stored is still good, and stores what comes of it. */
export class Fetch {
  readonly #visit: Visit
  readonly #place: Place
  readonly #conditions: readonly string[]
  readonly #forwarded: Cached['forwarded']
  readonly #tee: Tee | null
  #times: Times

  constructor(visit: Visit, place: Place) {
    const { keeper, request } = visit
    const { entry } = place
    this.#visit = visit
    this.#place = place
    this.#conditions = entry === null || entry.status === 206 ? [] : conditionsOf(entry.headers)
    this.#forwarded = whyForwarded(visit, place)
    const { sink } = request.call
    this.#tee = sink === undefined ? null : new Tee(sink, keeper.maxBytes, (...head) => this.#judge(...head))
    this.#times = { requestedAt: keeper.now(), receivedAt: keeper.now() }
  }

  run(): PromiseLike<Outcome> {
    const { next, scope } = this.#visit
    return next(this.#made(), scope).then((outcome) => this.#came(outcome))
  }

  /** The call as it is sent: in place of what the client knows it asks about what is stored. */
  #made(): Call {
    const { call } = this.#visit.request
    const asks = this.#conditions.length > 0
    const share = this.#share()
    return {
      ...call,
      ...(asks && {
        headers: [...unconditional(call.headers), ...this.#conditions],
        accept: (status: number) => status === 304 || call.accept(status),
      }),
      ...(this.#tee && { sink: this.#tee }),
      ...(share && { share }),
    }
  }

  #share(): Call['share'] {
    const { keeper, request, rounds } = this.#visit
    const { call, asked, selection } = request
    const own = asked.range ?? (this.#conditions.length > 0 ? undefined : (asked.ifNoneMatch ?? asked.ifModifiedSince))
    if (
      call.method !== 'GET' ||
      own !== undefined ||
      rounds > maxRounds ||
      keeper.unshared.since(this.#place.key, keeper.now() - unsharedMs)
    ) {
      return undefined
    }
    const key = `${this.#place.key} ${selection.apart}`
    return { key, stored: this.#place.key, keeps: () => this.#tee?.keeps ?? true }
  }

  /** Decides, by its head, what becomes of a reply that is passed on while it arrives. */
  #judge(status: number, headers: ReplyHeaders): Verdict {
    const { keeper, request } = this.#visit
    this.#times = { ...this.#times, receivedAt: keeper.now() }
    if (status === 304 && this.#conditions.length > 0) return { pass: null, keep: true }
    if (isError(status) && this.#bearsError()) return { pass: null, keep: true }
    const fits = Number(headers['content-length'] ?? 0) <= keeper.maxBytes
    const stored =
      fits && this.#isKept(status, headers) && lifeFor(keeper, request, this.#arrived(status, headers)) !== null
    if (!stored) keeper.unshared.note(this.#place.key, keeper.now())
    const cached: Cached = { status: 'miss', forwarded: this.#forwarded, stored }
    return { pass: { ...headers, 'cache-status': statusField(headers, cached) }, keep: stored }
  }

  /** Whether it is a whole reply, or a part that stands in the way of none (RFC 9111 §3.3). */
  #isKept(status: number, headers: ReplyHeaders): boolean {
    if (this.#visit.request.call.method !== 'GET' || status === 304) return false
    if (status !== 206) return true
    const { entry } = this.#place
    return (entry === null || entry.status === 206) && contentRangeOf(lineOf(headers, 'content-range')) !== null
  }

  #arrived(status: number, headers: ReplyHeaders): Arrived {
    return { status, headers, times: this.#times }
  }

  /** Whether what is stored may stand in when fetching fails (RFC 5861 §4). */
  #bearsError(): boolean {
    const { keeper, request } = this.#visit
    const { entry } = this.#place
    if (entry === null || entry.status === 206 || request.demands.noCache) return false
    return -leftOf(heldBy(keeper, entry), keeper.now()) < heldBy(keeper, entry).onErrorMs
  }

  #came(outcome: Outcome): Outcome | PromiseLike<Outcome> {
    if (outcome === lookAgain || (outcome.ok && outcome.cache?.status === 'coalesced')) return this.#again(outcome)
    if (this.#tee === null) this.#times = { ...this.#times, receivedAt: this.#visit.keeper.now() }
    if (outcome.ok && outcome.status === 304 && this.#conditions.length > 0) return this.#freshen(outcome)
    if (hasFailed(outcome) && this.#tee?.begun !== true && this.#bearsError()) return this.#stale()
    if (!outcome.ok) {
      this.#visit.keeper.count('miss')
      return outcome
    }
    return this.#fresh(outcome)
  }

  /** Another was asked the same: what came of it is stored now, or else it was for that one only. */
  #again(outcome: Outcome): Outcome | PromiseLike<Outcome> {
    const { keeper, request } = this.#visit
    const place = find(keeper.store, this.#place.primary, request.selection)
    return place instanceof Promise ? place.then((found) => this.#shared(outcome, found)) : this.#shared(outcome, place)
  }

  #shared(outcome: Outcome, place: Place): Outcome | PromiseLike<Outcome> {
    const { keeper, request } = this.#visit
    const { entry } = place
    const now = keeper.now()
    if (entry !== null && useIn(this.#visit, entry, now) !== null) {
      keeper.count('coalesced')
      return answer(entry, request.call, request.asked, cachedOf(this.#visit, entry, 'coalesced', now, this.#forwarded))
    }
    if (outcome.ok && this.#tee === null && outcome.status !== 304) {
      const arrived = { ...outcome, times: this.#times }
      // It could not be kept, but would have been good for all who asked.
      if ((lifeFor(keeper, request, arrived)?.freshMs ?? 0) > 0) {
        keeper.count('coalesced')
        return outcome
      }
    }
    if (outcome !== lookAgain) keeper.unshared.note(this.#place.key, now)
    return new Fetch({ ...this.#visit, rounds: this.#visit.rounds + 1 }, place).run()
  }

  /** What is stored is still good: its fields are brought up to date (RFC 9111 §4.3.4). */
  #freshen(reply: Reply): Outcome | PromiseLike<Outcome> {
    const { keeper, request } = this.#visit
    const entry = this.#place.entry as Entry
    const fields = storedFields(reply.headers, controlOf(reply.headers))
    // It speaks of something else than what was asked about: the reply itself is needed.
    if (!isAbout(entry.headers, fields)) return new Fetch(this.#visit, { ...this.#place, entry: null }).run()
    const fresh = this.#update(entry, freshened(entry.headers, fields))
    keeper.count('revalidated')
    const cached = cachedOf(this.#visit, fresh, 'revalidated', keeper.now(), this.#forwarded)
    return answer(fresh, request.call, request.asked, cached)
  }

  #update(entry: Entry, headers: ReplyHeaders): Entry {
    const { keeper, request } = this.#visit
    const arrived = this.#arrived(entry.status, headers)
    const life = lifeFor(keeper, request, arrived)
    const fresh = entryOf(keeper, request, arrived, life ?? noLife, entry.body)
    if (life === null) keeper.store.delete(this.#place.key)
    else keep(keeper, request, this.#place, fresh)
    return fresh
  }

  #stale(): Outcome {
    const { keeper, request } = this.#visit
    const entry = this.#place.entry as Entry
    keeper.count('stale')
    const cached = cachedOf(this.#visit, entry, 'stale', keeper.now(), this.#forwarded)
    return answer(entry, request.call, request.asked, cached)
  }

  /** A reply that is new, stored if it may be. */
  #fresh(reply: Reply): Outcome {
    const { keeper, request } = this.#visit
    keeper.count('miss')
    const arrived = this.#arrived(reply.status, reply.headers)
    if (request.call.method === 'HEAD') this.#describe(arrived)
    const life = this.#isKept(reply.status, reply.headers) ? lifeFor(keeper, request, arrived) : null
    const stored = life !== null && this.#store(arrived, life, reply)
    if (!stored) keeper.unshared.note(this.#place.key, keeper.now())
    const ttlS = stored ? Math.floor(life.freshMs / 1_000) : 0
    const ruled = stored && keeper.rules.ttl !== 'http'
    return { ...reply, cache: { status: 'miss', ageS: 0, ttlS, ruled, forwarded: this.#forwarded, stored } }
  }

  #store(arrived: Arrived, life: Life, { body }: Reply): boolean {
    const { keeper, request } = this.#visit
    if (this.#tee !== null && !this.#tee.keeps) return false
    const entry = entryOf(keeper, request, arrived, life, this.#tee === null ? body : this.#tee.body())
    const part = entry.status === 206 ? contentRangeOf(lineOf(entry.headers, 'content-range')) : null
    if (part !== null && part.last - part.first + 1 !== entry.body.length) return false
    return keep(keeper, request, this.#place, entry)
  }

  /** What HEAD is answered with tells of a stored reply to GET as well (RFC 9111 §4.3.5). */
  #describe({ status, headers }: Arrived): void {
    const { entry } = this.#place
    if (entry === null || entry.status !== status) return
    const fields = storedFields(headers, controlOf(headers))
    if (describes(fields, entry.headers, entry.body.length)) this.#update(entry, freshened(entry.headers, fields))
    else this.#visit.keeper.store.delete(this.#place.key)
  }
}

const noLife: Life = { ageMs: 0, freshMs: 0, staleMs: 0, onErrorMs: 0 }

// A path whose replies were for one client only is not worth waiting for others for so long.
const unsharedMs = 10_000

// RFC 5861 §4.
const errors: ReadonlySet<number> = new Set([500, 502, 503, 504])

function isError(status: number): boolean {
  return errors.has(status)
}

function hasFailed(outcome: Outcome): boolean {
  if (outcome.ok) return isError(outcome.status)
  return outcome.reply === undefined ? outcome.error !== 'cancelled' : isError(outcome.reply.status)
}

function whyForwarded({ keeper }: Visit, { entry, index }: Place): Cached['forwarded'] {
  if (entry?.status === 206) return 'partial'
  if (entry !== null) return leftOf(heldBy(keeper, entry), keeper.now()) > 0 ? 'request' : 'stale'
  return index !== null && index.names.length > 0 ? 'vary-miss' : 'uri-miss'
}

/** What of an entry can be done for a visit as it is; null: nothing. */
export function useIn({ keeper, request }: Visit, entry: Entry, now: number): ReturnType<typeof useOf> {
  return useOf(heldBy(keeper, entry), request.asked, request.demands, now)
}

/** Tells of a reply that was stored. */
export function cachedOf(
  { keeper }: Visit,
  entry: Entry,
  status: CacheStatus,
  now: number,
  forwarded?: Cached['forwarded'],
): Cached {
  const ageS = Math.floor(ageIn(entry, now) / 1_000)
  const ttlS = Math.floor(leftOf(heldBy(keeper, entry), now) / 1_000)
  const ruled = keeper.rules.ttl !== 'http'
  return forwarded === undefined ? { status, ageS, ttlS, ruled } : { status, ageS, ttlS, ruled, forwarded }
}

/** Sends a call on as it is, without a look at what is stored. */
export function bypass({ keeper, request: { call }, next, scope }: Visit): PromiseLike<Outcome> {
  keeper.count('bypass')
  const cached: Cached = { status: 'bypass', forwarded: 'request', stored: false }
  const told = (headers: ReplyHeaders): Verdict => {
    return { pass: { ...headers, 'cache-status': statusField(headers, cached) }, keep: false }
  }
  const { sink } = call
  const made = sink === undefined ? call : { ...call, sink: new Tee(sink, 0, (_, headers) => told(headers)) }
  return next(made, scope).then((outcome) => (outcome.ok ? { ...outcome, cache: cached } : outcome))
}

const conditional: ReadonlySet<string> = new Set(['if-none-match', 'if-modified-since', 'if-range', 'range'])

/** The fields of a call without what depends on what a client has. */
export function unconditional(headers: readonly string[]): string[] {
  return headers.filter((_, i) => !conditional.has(headers[i - (i % 2)] as string))
}
