import type { Call, Layer, Outcome, Sink } from '../call/call.ts'
import { Eventual } from '../call/eventual.ts'
import { failure } from '../call/failure.ts'
import { Scope } from '../call/scope.ts'
import { isUnsafe } from '../policy/unsafe.ts'
import { answer } from './answer.ts'
import { Fetch, type Visit, bypass, cachedOf, unconditional, useIn } from './fetch.ts'
import { invalidate } from './invalidate.ts'
import { type Keeper, requestOf } from './keep.ts'
import { type Place, find, primaryOf } from './stored.ts'

/**
 * Answers a call from what is stored, where that may be (RFC 9111), and stores what comes of the others. A hit costs
 * none of the layers below it, and no turn of a promise where memory has the entry.
 */
export function cache(keeper: Keeper): Layer {
  return (next) => (call, scope) => {
    const { method } = call
    if (isUnsafe(method)) return next(call, scope).then((outcome) => invalidate(keeper, call, outcome))
    if (method !== 'GET' && method !== 'HEAD') return next(call, scope)
    call.errand?.work.on(call.errand.accounts.cache)
    const request = requestOf(keeper, call)
    const visit: Visit = { keeper, request, next, scope, rounds: 0 }
    if (request.asked.odd || request.demands.noStore || call.body !== null) return bypass(visit)
    const place = find(keeper.store, primaryOf(keeper.upstream, call.path, keeper.wordOf(call)), request.selection)
    return place instanceof Promise ? place.then((found) => visited(visit, found)) : visited(visit, place)
  }
}

/** Answers from what was found, or has it fetched. */
function visited(visit: Visit, place: Place): PromiseLike<Outcome> {
  const { keeper, request, scope } = visit
  const { entry } = place
  const now = keeper.now()
  const use = entry === null ? null : useIn(visit, entry, now)
  if (entry !== null && use !== null) {
    if (use === 'refresh') refresh(visit, place)
    const status = use === 'hit' ? 'hit' : 'stale'
    keeper.count(status)
    return settled(answer(entry, request.call, request.asked, cachedOf(visit, entry, status, now)))
  }
  if (scope.ended !== null) return settled(failure(scope.ended))
  if (request.demands.onlyIfCached) return settled(failure('not_cached'))
  return new Fetch(visit, place).run()
}

function settled(outcome: Outcome): PromiseLike<Outcome> {
  const made = new Eventual<Outcome>()
  made.resolve(outcome)
  return made
}

// Each attempt has its own bounds; this one is for what would wait for ever among them.
const refreshMs = 60_000

/** Fetches an entry anew while a stale one is used: nobody waits for it, and nobody's leaving ends it. */
function refresh({ keeper, request, next }: Visit, place: Place): void {
  if (keeper.refreshing.has(place.key)) return
  keeper.refreshing.add(place.key)
  const scope = new Scope(keeper.wheel, keeper.wheel.now() + refreshMs)
  const call: { -readonly [K in keyof Call]: Call[K] } = { ...request.call }
  // It is made on nobody's behalf.
  delete call.errand
  const sink = call.sink && { sink: nowhere }
  const anew: Call = { ...call, method: 'GET', headers: unconditional(call.headers), ...sink }
  const fetching = new Fetch({ keeper, request: requestOf(keeper, anew), next, scope, rounds: 0 }, place)
  void fetching.run().then(() => {
    scope.close()
    keeper.refreshing.delete(place.key)
  })
}

const nowhere: Sink = { head: () => {}, chunk: () => true }
