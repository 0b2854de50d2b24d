import { inspect } from 'node:util'
import type { Failure } from '../call/failure.ts'
import type { RouteAccounts } from '../call/work.ts'
import { failure } from '../call/failure.ts'
import { type Missing, missingField, missingOf } from '../plan/missing.ts'
import type { Plan } from '../plan/plan.ts'
import { MergeEnded } from '../plan/respond.ts'
import type { Ended } from '../plan/run.ts'
import type { RequestMeter } from '../telemetry/meters.ts'
import { composeFields, personal } from './composed.ts'
import { type Exchange, decide } from './enter.ts'
import { type FieldRules, type Fields, applyRules, beyondTheBody } from './fields.ts'
import { type Problem, failureProblem } from './problem.ts'

/** How a route's responses are made. */
export interface Responding {
  readonly plan: Plan
  readonly meter: RequestMeter
  readonly accounts: RouteAccounts
  /** Null when the route changes no header fields: most do not. */
  readonly rules: FieldRules | null
  /** The places of the steps whose header fields are copied. */
  readonly from: readonly number[]
  /** Whether its responses may be kept: it answers GET. */
  readonly composes: boolean
}

/** Makes the response of what a plan came to: at once, but for a transform that itself waits for something. */
export function respond(responding: Responding, ended: Ended, exchange: Exchange): Response | Promise<Response> {
  const { plan, meter, accounts } = responding
  const { work } = exchange
  exchange.ran = { plan, ended }
  // It stays on until the response is written, which is when its end is told.
  work.on(accounts.respond)
  const missing = missingOf(plan.steps, ended.state.parts)
  for (const { failure: why } of missing) meter.missing(why.error)
  if (ended.failed !== null) return failed(exchange, ended.failed, missing)
  const finish = (body: string | Uint8Array): Response => {
    work.on(accounts.respond)
    exchange.result = missing.length === 0 ? 'ok' : 'partial'
    return whole(responding, ended, exchange, missing, body)
  }
  const fail = (error: unknown): Response => failed(exchange, { step: '', failure: mergeFailure(error) }, [])
  try {
    work.on(plan.mergeAccount)
    const made = plan.merge(ended.state, exchange.scope)
    if (!(made instanceof Promise)) return finish(made)
    work.off()
    // What it does after a wait is known by where that leads to.
    const resumed =
      <T>(go: (with_: T) => Response) =>
      (value: T) => {
        work.on(plan.mergeAccount)
        return go(value)
      }
    return made.then(resumed(finish), resumed(fail))
  } catch (error) {
    return fail(error)
  }
}

/** Makes the response to a request that failed. */
export function failed(exchange: Exchange, decisive: Missing, missing: readonly Missing[]): Response {
  decide(exchange, decisive.step, decisive.failure)
  const problem = failureProblem(decisive, missing, exchange.id)
  if (exchange.timing === null) return responseOf(problem)
  return responseOf({ ...problem, headers: { ...problem.headers, 'server-timing': exchange.timing() } })
}

/** Makes the response of a problem. */
export function responseOf({ status, headers, body }: Problem): Response {
  return new Response(body, { status, headers })
}

function whole(
  { plan, rules, from, composes }: Responding,
  { state }: Ended,
  exchange: Exchange,
  missing: readonly Missing[],
  body: string | Uint8Array,
): Response {
  let headers: Fields = { 'content-type': 'application/json', 'x-request-id': exchange.id }
  const isKnown = composes && missing.length === 0 && composeFields(headers, plan, state, body)
  const composed = headers['cache-control']
  if (rules !== null) {
    // What is there already stays: our own fields, and those of the steps that were named before.
    for (const place of from) headers = { ...beyondTheBody(state.parts[place]?.headers ?? {}), ...headers }
    if (composed !== undefined && headers['set-cookie'] !== undefined)
      headers['cache-control'] = personal(String(composed))
    applyRules(headers, rules, state)
  }
  if (missing.length > 0) {
    headers['oneloop-missing'] = missingField(missing)
    // What lacks a part must never be kept as if it were whole.
    headers['cache-control'] = 'no-store'
  }
  if (exchange.timing !== null) headers['server-timing'] = exchange.timing()
  return responseFor(isKnown ? 304 : plan.status, headers, body)
}

function responseFor(status: number, headers: Fields, body: string | Uint8Array): Response {
  const empty = status === 204 || status === 205 || status === 304
  if (empty) delete headers['content-type']
  // A plain record goes straight to writeHead; a Headers instance would be taken apart again. A list, as Set-Cookie
  // may be, is understood there though the type does not say so.
  const init = { status, headers: headers as Record<string, string> }
  return new Response(empty ? null : (body as ConstructorParameters<typeof Response>[0]), init)
}

/** Makes a failure of what was thrown while the body was made. */
export function mergeFailure(error: unknown): Failure {
  if (error instanceof MergeEnded) return error.failure
  return failure('transform_error', error instanceof Error ? (error.stack ?? error.message) : inspect(error))
}
