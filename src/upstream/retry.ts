import type { Call, Layer, Outcome, Sink, Upstream } from '../call/call.ts'
import { type Failure, failure, failures } from '../call/failure.ts'
import { isRepeatable } from '../call/repeat.ts'
import type { Scope } from '../call/scope.ts'
import { backoffMs, retryAfterMs } from '../policy/backoff.ts'
import type { Budget } from '../policy/budget.ts'

/** How often a call may be made again, and what bounds that. */
export interface RetryOptions {
  readonly more: number
  /** The share of an upstream's calls that further attempts may add to them. */
  readonly share: number
  /** How many endpoints an attempt can go to. */
  readonly endpoints: () => number
  readonly now: () => number
  readonly random: () => number
  /** Is told of each further attempt. */
  readonly onRetry: () => void
}

/**
 * Makes a call again that has failed where another attempt may help: if it is idempotent or nothing of it was sent,
 * nothing of a reply was passed on, the budget of the upstream allows it, and there is time for the wait before it.
 */
export function retry(budget: Budget, options: RetryOptions): Layer {
  return (next) => (call, scope) => {
    budget.call(options.now())
    const made = options.endpoints() > 1 ? { ...call, tried: new Set<string>() } : call
    if (made.sink !== undefined) return streamed(made, made.sink, scope, next, budget, options)
    return next(made, scope).then((outcome) => {
      return outcome.ok ? outcome : again(made, scope, outcome, next, budget, options)
    })
  }
}

/** Once a stream has begun to be passed on, nothing can be made undone. */
async function streamed(
  call: Call,
  sink: Sink,
  scope: Scope,
  next: Upstream,
  budget: Budget,
  options: RetryOptions,
): Promise<Outcome> {
  let begun = false
  const head: Sink['head'] = (...parts) => {
    begun = true
    sink.head(...parts)
  }
  const watched = { ...call, sink: { head, chunk: (bytes: Uint8Array) => sink.chunk(bytes) } }
  const outcome = await next(watched, scope)
  return outcome.ok || begun ? outcome : again(watched, scope, outcome, next, budget, options)
}

async function again(
  call: Call,
  scope: Scope,
  first: Failure,
  next: Upstream,
  budget: Budget,
  { more, share, endpoints, now, random, onRetry }: RetryOptions,
): Promise<Outcome> {
  let why = first
  for (let resent = 0; resent < more; resent++) {
    const waitMs = waitBefore(call, why, resent, endpoints(), random)
    if (waitMs === null || waitMs >= scope.leftMs() || scope.ended !== null || !budget.take(now(), share)) break
    if (waitMs > 0 && !(await scope.pause(waitMs))) return scope.ended === 'cancelled' ? failure('cancelled') : why
    onRetry()
    const outcome = await next({ ...call, again: true }, scope)
    if (outcome.ok) return outcome
    // One that ran out of time says less than what failed before it.
    why = { ...(outcome.hurried === true ? why : outcome), resent: resent + 1 }
  }
  return why
}

/** How long to wait before a call is made again, or null when it must not be. */
function waitBefore(call: Call, why: Failure, resent: number, endpoints: number, random: () => number): number | null {
  const unsent = why.unsent === true
  if (!isRepeatable(call, unsent)) return null
  const { reply } = why
  if (reply === undefined) {
    if (failures[why.error].again === undefined) return null
    // Nobody was bothered by it yet, and another endpoint knows nothing of the trouble.
    return unsent && (call.tried?.size ?? endpoints) < endpoints ? 0 : backoffMs(resent, random)
  }
  const asked = retryAfterMs(reply.headers['retry-after']?.toString(), Date.now())
  if (reply.status === 429 || reply.status === 503) {
    // Not all who were asked to wait come back at once.
    if (asked !== null) return asked + backoffMs(resent, random)
    return reply.status === 503 ? backoffMs(resent, random) : null
  }
  return reply.status === 502 || reply.status === 504 ? backoffMs(resent, random) : null
}
