import { type CacheStatus, cacheStatuses } from '../call/call.ts'
import { type FailureName, failures } from '../call/failure.ts'
import { accountSeries, ownSeries } from './accounts.ts'
import { collectionTypes } from './collections.ts'
import type { Attributes, Instruments, Series, Slot } from './instruments.ts'
import { type Outcomes, attemptOutcomes, requestOutcomes } from './outcomes.ts'
import { storeSeries } from './stores.ts'
import { type Name, seriesNamed } from './table.ts'

const names = Object.keys(failures) as FailureName[]
const results: readonly RequestResult[] = ['ok', 'partial', 'client_error', ...names]

// The statuses with which a request is answered before any route has it.
const refusedWith = [400, 404, 405, 408, 414, 417, 431, 501, 505]

/** What a request came to: `ok`, `partial` (parts are missing), `client_error`, or the failure that decided. */
export type RequestResult = 'ok' | 'partial' | 'client_error' | FailureName

/** Counts the calls to one upstream. */
export interface CallMeter {
  begin(): void
  end(error: FailureName | null): void
  /** Counts one sending of a call: to what status it came, 0 for none, or how it failed, and how long it took. */
  attempt(method: string, status: number, error: FailureName | null, tookMs: number): void
  /** Counts what a cache had to do with a call. */
  cache(status: CacheStatus): void
  /** Counts a connection that the peer spoiled. */
  broken(): void
  /** Counts a further attempt after one that failed. */
  retried(): void
  /** Counts a second attempt that raced the first. */
  hedged(): void
  /** Shows the breaker's state. */
  breaker(state: BreakerState): void
  /** Shows how many calls may be under way at once. */
  limit(calls: number): void
  /** Shows how many calls wait for a permit. */
  queued(calls: number): void
  /** Shows how many endpoints are left out. */
  out(endpoints: number): void
}

/** What a breaker can be in; its gauge shows the place in this list. */
export const breakerStates = ['closed', 'half_open', 'open'] as const
export type BreakerState = (typeof breakerStates)[number]

/** Counts the requests of one route. */
export interface RequestMeter {
  begin(): void
  /** `status` is the one that it was answered with. */
  end(result: RequestResult, method: string, status: number, tookMs: number): void
  /** Counts a part that a response had to do without. */
  missing(error: FailureName): void
}

/** Counts the requests that no route has had. */
export interface RefusalMeter {
  refused(status: number): void
}

/** What of a route tells which numbers there are of it. */
export interface CountedRoute {
  readonly name: string
  readonly methods: readonly string[]
  /** Those that it calls. */
  readonly upstreams: readonly string[]
}

// All that a call can be made with.
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
const attempts = attemptOutcomes(methods)
const resultSplit = results.map((result) => ({ result }))
const errorSplit = names.map((error) => ({ 'error.type': error }))
const callSplit: readonly Attributes[] = [{}, ...errorSplit]
const cacheSplit = cacheStatuses.map((result) => ({ result }))
const refusalSplit = refusedWith.map((status) => ({ 'http.response.status_code': String(status) }))

/** Lists all series of a config, the same on both loops. */
export function seriesOf(routes: readonly CountedRoute[], upstreams: readonly string[]): Series[] {
  return [
    seriesNamed('oneloop.refusals', {}, refusalSplit),
    ...ownSeries(upstreams),
    ...storeSeries(),
    seriesNamed(
      'v8js.gc.duration',
      {},
      collectionTypes.map((type) => ({ 'v8js.gc.type': type })),
    ),
    ...upstreams.flatMap((upstream) => [
      seriesNamed('oneloop.calls', { upstream }, callSplit),
      seriesNamed('oneloop.cache', { upstream }, cacheSplit),
      seriesNamed('http.client.request.duration', { upstream }, attempts.split),
      ...ofUpstream.map((name) => seriesNamed(name, { upstream })),
    ]),
    ...routes.flatMap((route) => [
      seriesNamed('oneloop.requests', { 'http.route': route.name }, resultSplit),
      seriesNamed('oneloop.missing', { 'http.route': route.name }, errorSplit),
      seriesNamed('http.server.request.duration', { 'http.route': route.name }, outcomesOf(route).split),
      seriesNamed('http.server.active_requests', { 'http.route': route.name }),
      ...accountSeries(route.name, route.upstreams),
    ]),
  ]
}

const ofUpstream: readonly Name[] = [
  'oneloop.calls.active',
  'oneloop.connections.broken',
  'oneloop.retries',
  'oneloop.hedges',
  'oneloop.breaker.state',
  'oneloop.calls.limit',
  'oneloop.endpoints.out',
  'oneloop.calls.queued',
]

// Routes of the same methods share what they are split by.
const ofRoutes = new Map<string, Outcomes>()

function outcomesOf(route: CountedRoute): Outcomes {
  const key = route.methods.join()
  const made = ofRoutes.get(key) ?? requestOutcomes(route.methods)
  ofRoutes.set(key, made)
  return made
}

/** Whether a series counts requests that are being served. */
export function isActiveRequests(name: string): boolean {
  return name === 'http.server.active_requests'
}

/** Makes the meter of refused requests. */
export function refusalMeter(instruments: Instruments): RefusalMeter {
  const slots = new Map(refusedWith.map((status, i) => [status, instruments.slot('oneloop.refusals', {}, i)]))
  return { refused: (status) => slots.get(status)?.add(1) }
}

/** Makes the meter of an upstream. */
export function callMeter(instruments: Instruments, upstream: string): CallMeter {
  const answered = instruments.slot('oneloop.calls', { upstream })
  const failed = slotsOf(names, (i) => instruments.slot('oneloop.calls', { upstream }, i + 1))
  const slot = (name: Name): Slot => instruments.slot(name, { upstream })
  const [active, broken, retries, hedges, state, limit, out, queue] = ofUpstream.map(slot) as [
    Slot,
    Slot,
    Slot,
    Slot,
    Slot,
    Slot,
    Slot,
    Slot,
  ]
  const cached = slotsOf(cacheStatuses, (i) => instruments.slot('oneloop.cache', { upstream }, i))
  const durations = instruments.histogram('http.client.request.duration', { upstream })
  return {
    begin: () => active.add(1),
    end(error) {
      active.add(-1)
      if (error === null) answered.add(1)
      else failed[error].add(1)
    },
    attempt: (method, status, error, tookMs) => durations.record(attempts.cell(method, status, error), tookMs / 1_000),
    cache: (status) => cached[status].add(1),
    broken: () => broken.add(1),
    retried: () => retries.add(1),
    hedged: () => hedges.add(1),
    breaker: (to) => state.set(breakerStates.indexOf(to)),
    limit: (calls) => limit.set(calls),
    queued: (calls) => queue.set(calls),
    out: (endpoints) => out.set(endpoints),
  }
}

/** Makes the meter of a route. */
export function requestMeter(instruments: Instruments, route: CountedRoute): RequestMeter {
  const attributes = { 'http.route': route.name }
  const counts = slotsOf(results, (i) => instruments.slot('oneloop.requests', attributes, i))
  const without = slotsOf(names, (i) => instruments.slot('oneloop.missing', attributes, i))
  const active = instruments.slot('http.server.active_requests', attributes)
  const durations = instruments.histogram('http.server.request.duration', attributes)
  const outcomes = outcomesOf(route)
  return {
    begin: () => active.add(1),
    end(result, method, status, tookMs) {
      active.add(-1)
      counts[result].add(1)
      const error = result in failures ? (result as FailureName) : null
      durations.record(outcomes.cell(method, status, error), tookMs / 1_000)
    },
    missing: (error) => without[error].add(1),
  }
}

function slotsOf<Key extends string>(keys: readonly Key[], slot: (place: number) => Slot): Record<Key, Slot> {
  return Object.fromEntries(keys.map((key, i) => [key, slot(i)])) as Record<Key, Slot>
}
