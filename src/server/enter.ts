import type { IncomingMessage, ServerResponse } from 'node:http'
import { timeoutOf } from '../call/deadline.ts'
import { type Failure, failures, statusOf } from '../call/failure.ts'
import { Scope } from '../call/scope.ts'
import { type Trace, isSampled, randomHex, traceOf } from '../call/trace.ts'
import type { Wheel } from '../call/wheel.ts'
import type { RouteAccounts } from '../call/work.ts'
import { type Ledger, Job } from '../telemetry/ledger.ts'
import type { Sparing } from '../telemetry/log.ts'
import type { RequestMeter, RequestResult } from '../telemetry/meters.ts'
import type { Tracing } from '../telemetry/tracing.ts'
import type { Crowd } from './crowd.ts'
import { type Ran, keptOf } from './kept.ts'
import { methodOf } from './method.ts'
import { serverTiming } from './timing.ts'

/** What all requests of a route have in common when they enter. */
export interface Entrance {
  readonly route: string
  readonly budgetMs: number
  /** The field in which a client says how long it waits. */
  readonly deadline: string | null
  readonly wheel: Wheel
  readonly meter: RequestMeter
  readonly log: Sparing
  readonly ledger: Ledger
  readonly accounts: RouteAccounts
  /** The requests of the gateway that it is one of. */
  readonly crowd: Crowd
  readonly tracing: Tracing
  /** Whether clients are told how long what took. */
  readonly timing: boolean
}

/** A request that is being served: what it is known by, and the scope in which all that is done for it runs. */
export interface Exchange {
  readonly id: string
  readonly trace: Trace
  /** What the loop does for it. */
  readonly work: Job
  /** The time that the route allows for it, or what of that the client waits. */
  readonly budgetMs: number
  scope: Scope
  /** What the request came to, once that is known. */
  result: RequestResult | null
  /** Whether we have broken off the response ourselves. */
  broken: boolean
  /** What the log says beside the result. */
  readonly notes: Record<string, unknown>
  /** When it came, on the clock of `performance.now()`. */
  readonly began: number
  /** Writes `Server-Timing`, where clients are told. */
  readonly timing: (() => string) | null
  /** What its plan came to, once that is known. */
  ran: Ran | null
}

const plainId = /^[A-Za-z0-9._:+/=-]{1,128}$/

/** Gives the id that a request came with, if it is harmless, else a new one. */
export function idOf(incoming: IncomingMessage): string {
  return givenId(incoming) ?? randomHex(16)
}

function givenId(incoming: IncomingMessage): string | null {
  const given = incoming.headers['x-request-id']
  return typeof given === 'string' && plainId.test(given) ? given : null
}

/**
 * Opens the scope of a request: it ends after the budget, or when the client leaves. With a body that is still to
 * come the budget is left to begin when it is in. When the response is over the request is counted once and the scope
 * closed, so that nothing outlives it.
 */
export function enter(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  entrance: Entrance,
  comes: boolean = false,
): Exchange {
  const { wheel, meter, ledger, accounts, tracing, crowd } = entrance
  const work = new Job(ledger, true)
  work.on(accounts.accept)
  const began = wheel.now()
  const budgetMs = budgetOf(incoming, entrance)
  const trace = traceOf(incoming.headers, tracing.sample)
  const exchange: Exchange = {
    // A request that comes without an id is known by that of its trace: one word to search for.
    id: givenId(incoming) ?? trace.traceId,
    trace,
    work,
    budgetMs,
    scope: new Scope(wheel, comes ? Infinity : began + budgetMs, null, budgetMs < entrance.budgetMs),
    result: null,
    broken: false,
    notes: {},
    began,
    timing: entrance.timing ? () => serverTiming(exchange, wheel.now()) : null,
    ran: null,
  }
  meter.begin()
  crowd.enter()
  // It closes but once; `once` would wrap the function to take it off again.
  outgoing.on('close', () => {
    work.on(accounts.respond)
    const left = !outgoing.writableFinished && !exchange.broken
    const result = left ? 'cancelled' : (exchange.result ?? 'proxy_internal_error')
    exchange.scope.close('cancelled')
    const ended = wheel.now()
    const status = outgoing.headersSent ? outgoing.statusCode : 499
    meter.end(result, methodOf(incoming), status, ended - began)
    crowd.leave()
    if (result in failures) tell(entrance, exchange, incoming, result)
    const why = tracing.why(isSampled(trace), result, work, ended - began)
    if (why !== null) {
      const over = {
        route: entrance.route,
        method: methodOf(incoming),
        path: pathOf(incoming),
        status,
        result,
        why,
        ended,
      }
      const idleMs = ledger.idleMs - work.idleBeforeMs
      const utilisation = Math.min(1, Math.max(0, 1 - idleMs / (ended - began)))
      tracing.keep(() => keptOf(exchange, { ...over, utilisation }))
    }
    work.off()
  })
  return exchange
}

// A client can only shorten its own time, so it needs no trust.
function budgetOf({ headers }: IncomingMessage, { budgetMs, deadline }: Entrance): number {
  const field = deadline === null ? undefined : headers[deadline]
  const waitsMs = typeof field === 'string' ? timeoutOf(field) : null
  return waitsMs === null ? budgetMs : Math.min(budgetMs, waitsMs)
}

/** Notes which failure decided a request, and where. */
export function decide(exchange: Exchange, step: string, failure: Failure): void {
  const status = statusOf(failure)
  // A request that names no existing thing is the client's matter, not a failure of ours or of an upstream.
  exchange.result = status < 500 && failure.error !== 'cancelled' ? 'client_error' : failure.error
  const { detail, reply, resent } = failure
  Object.assign(exchange.notes, { step, status, detail, receivedStatus: reply?.status, resent })
}

// The query may hold what is nobody's business; the path is needed to find the request again.
function pathOf({ url = '' }: IncomingMessage): string {
  return url.split('?', 1)[0] as string
}

function tell({ route, log }: Entrance, exchange: Exchange, incoming: IncomingMessage, reason: string): void {
  const path = pathOf(incoming)
  const { id: requestId, trace, notes } = exchange
  const about = { route, method: methodOf(incoming), path, requestId, traceId: trace.traceId }
  log.write(reason, 'request failed', { reason, ...about, ...notes })
}
