import { type FailureName, failures } from '../call/failure.ts'
import type { Instruments, Series, Slot } from './instruments.ts'

const names = Object.keys(failures) as FailureName[]
const calls = 'oneloop.calls'
const activeCalls = 'oneloop.calls.active'
const broken = 'oneloop.connections.broken'
const retries = 'oneloop.retries'
const hedges = 'oneloop.hedges'
const breakerState = 'oneloop.breaker.state'
const callLimit = 'oneloop.calls.limit'
const endpointsOut = 'oneloop.endpoints.out'
const requests = 'oneloop.requests'
const activeRequests = 'http.server.active_requests'
const missing = 'oneloop.missing'
const refusals = 'oneloop.refusals'

const gauges: ReadonlySet<string> = new Set([activeCalls, activeRequests, breakerState, callLimit, endpointsOut])

// The statuses with which a request is answered before any route has it.
const refusedWith = [400, 404, 405, 408, 414, 417, 431, 501, 505]

/** What a request came to: `ok`, `partial` (parts are missing), `client_error`, or the failure that decided. */
export type RequestResult = 'ok' | 'partial' | 'client_error' | FailureName

/** Counts the calls to one upstream. */
export interface CallMeter {
  begin(): void
  end(error: FailureName | null): void
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
  /** Shows how many endpoints are left out. */
  out(endpoints: number): void
}

/** What a breaker can be in; its gauge shows the place in this list. */
export const breakerStates = ['closed', 'half_open', 'open'] as const
export type BreakerState = (typeof breakerStates)[number]

/** Counts the requests of one route. */
export interface RequestMeter {
  begin(): void
  end(result: RequestResult): void
  /** Counts a part that a response had to do without. */
  missing(error: FailureName): void
}

/** Counts the requests that no route has had. */
export interface RefusalMeter {
  refused(status: number): void
}

/** Lists all series of a config, the same on both loops. */
export function seriesOf(routes: readonly string[], upstreams: readonly string[]): Series[] {
  const one = (name: string, attributes: Record<string, string>): Series => ({ name, attributes })
  return [
    ...refusedWith.map((status) => one(refusals, { 'http.response.status_code': String(status) })),
    ...upstreams.flatMap((upstream) => [
      one(calls, { upstream }),
      ...names.map((error) => one(calls, { upstream, 'error.type': error })),
      one(activeCalls, { upstream }),
      ...[broken, retries, hedges, breakerState, callLimit, endpointsOut].map((name) => one(name, { upstream })),
    ]),
    ...routes.flatMap((route) => [
      ...['ok', 'partial', 'client_error', ...names].map((result) => one(requests, { 'http.route': route, result })),
      ...names.map((error) => one(missing, { 'http.route': route, 'error.type': error })),
      one(activeRequests, { 'http.route': route }),
    ]),
  ]
}

/** Whether a series counts down as well: it is 0 again when its loop has died. */
export function isGauge(name: string): boolean {
  return gauges.has(name)
}

/** Whether a series counts requests that are being served. */
export function isActiveRequests(name: string): boolean {
  return name === activeRequests
}

/** Makes the meter of refused requests. */
export function refusalMeter(instruments: Instruments): RefusalMeter {
  const slotOf = (status: number) => instruments.slot(refusals, { 'http.response.status_code': String(status) })
  const slots = new Map(refusedWith.map((status) => [status, slotOf(status)]))
  return { refused: (status) => slots.get(status)?.add(1) }
}

/** Makes the meter of an upstream. */
export function callMeter(instruments: Instruments, upstream: string): CallMeter {
  const answered = instruments.slot(calls, { upstream })
  const failed = byName((error) => instruments.slot(calls, { upstream, 'error.type': error }))
  const active = instruments.slot(activeCalls, { upstream })
  const slot = (name: string): Slot => instruments.slot(name, { upstream })
  const [spoiled, retried, hedged] = [slot(broken), slot(retries), slot(hedges)]
  const [state, limit, out] = [slot(breakerState), slot(callLimit), slot(endpointsOut)]
  return {
    begin: () => active.add(1),
    end(error) {
      active.add(-1)
      if (error === null) answered.add(1)
      else failed[error].add(1)
    },
    broken: () => spoiled.add(1),
    retried: () => retried.add(1),
    hedged: () => hedged.add(1),
    breaker: (to) => state.set(breakerStates.indexOf(to)),
    limit: (calls) => limit.set(calls),
    out: (endpoints) => out.set(endpoints),
  }
}

/** Makes the meter of a route. */
export function requestMeter(instruments: Instruments, route: string): RequestMeter {
  const slot = (result: RequestResult) => instruments.slot(requests, { 'http.route': route, result })
  const results = { ...byName(slot), ok: slot('ok'), partial: slot('partial'), client_error: slot('client_error') }
  const without = byName((error) => instruments.slot(missing, { 'http.route': route, 'error.type': error }))
  const active = instruments.slot(activeRequests, { 'http.route': route })
  return {
    begin: () => active.add(1),
    end(result) {
      active.add(-1)
      results[result].add(1)
    },
    missing: (error) => without[error].add(1),
  }
}

function byName<T>(make: (name: FailureName) => T): Record<FailureName, T> {
  return Object.fromEntries(names.map((name) => [name, make(name)])) as Record<FailureName, T>
}
