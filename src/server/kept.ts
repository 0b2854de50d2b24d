import { performance } from 'node:perf_hooks'
import type { AttemptTimes } from '../call/work.ts'
import type { Plan } from '../plan/plan.ts'
import type { Ended, Span } from '../plan/run.ts'
import type { RequestResult } from '../telemetry/meters.ts'
import type { Kept, KeptAttempt, KeptStep, Why } from '../telemetry/record.ts'
import type { Exchange } from './enter.ts'

/** What is known of a request when it is over. */
export interface Over {
  readonly route: string
  readonly method: string
  readonly path: string
  readonly status: number
  readonly result: RequestResult
  readonly why: Why
  /** On the clock of `performance.now()`. */
  readonly ended: number
  readonly utilisation: number
}

/** Puts together what is told of a request that is kept. */
export function keptOf(exchange: Exchange, over: Over): Kept {
  const { trace, work, began, ran } = exchange
  const { ended, ...rest } = over
  const { traceId, spanId, parentSpanId, flags, state } = trace
  const attempts = work.attempts ?? []
  const critical = ran === null ? null : criticalOf(ran.plan, ran.ended)
  return {
    ...rest,
    traceId,
    spanId,
    parentSpanId,
    flags,
    ...(state !== null && { tracestate: state }),
    requestId: exchange.id,
    beganAt: performance.timeOrigin + began,
    durationMs: ended - began,
    busyMs: work.busyMs,
    loopWaitMs: loopWaitOf(attempts, ran?.plan ?? null, critical),
    steps: ran === null || critical === null ? [] : stepsOf(ran, critical, began, ended),
    attempts: attempts.map((one) => attemptOf(one, began, ended)),
  }
}

/** What a plan came to. */
export interface Ran {
  readonly plan: Plan
  readonly ended: Ended
}

/**
 * Finds the steps that the answer really waited for: the one that was in last, or that decided; of those that it needed
 * the one that was in last; and so on.
 */
export function criticalOf({ steps }: Plan, { spans, failed }: Ended): ReadonlySet<number> {
  const found = new Set<number>()
  const later = (one: number, other: number): number => {
    const [a, b] = [spans[one]?.ended ?? NaN, spans[other]?.ended ?? NaN]
    return Number.isNaN(a) || b > a ? other : one
  }
  const decided = failed === null ? -1 : steps.findIndex(({ name }) => name === failed.step)
  let next = decided === -1 ? steps.map((_, place) => place).reduce(later) : decided
  for (;;) {
    found.add(next)
    const needs = steps[next]?.needs ?? []
    if (needs.length === 0) return found
    next = needs.reduce(later)
  }
}

/** Of the calls that the answer waited for, how long their replies may have lain there unseen. */
export function loopWaitOf(
  attempts: readonly AttemptTimes[],
  plan: Plan | null,
  critical: ReadonlySet<number> | null,
): number {
  // Several calls of one step are under way together: what one waits the others wait too.
  const most = new Map<string, number>()
  for (const { step, loopWaitMs } of attempts) most.set(step, Math.max(most.get(step) ?? 0, loopWaitMs))
  if (plan === null || critical === null) return most.get('') ?? 0
  return [...critical].reduce((sum, place) => sum + (most.get(plan.steps[place]?.name ?? '') ?? 0), 0)
}

function stepsOf({ plan, ended }: Ran, critical: ReadonlySet<number>, began: number, until: number): KeptStep[] {
  return plan.steps.flatMap((step, place): KeptStep[] => {
    const span = ended.spans[place] as Span
    if (Number.isNaN(span.began)) return []
    const part = ended.state.parts[place]
    const error = part === undefined ? 'cancelled' : part.failure?.error
    const skipped = part !== undefined && part.failure === null && !part.answered
    return [
      {
        name: step.name,
        upstream: step.upstreamName,
        beganMs: span.began - began,
        // What was still under way when all was decided was cancelled then.
        endedMs: (Number.isNaN(span.ended) ? until : span.ended) - began,
        optional: step.optional,
        critical: critical.has(place),
        ...(error !== undefined && { error }),
        ...(skipped && { skipped }),
        ...(part?.cache !== undefined && { cache: part.cache }),
        ...(part?.items !== undefined && { items: part.items }),
      },
    ]
  })
}

function attemptOf(one: AttemptTimes, began: number, until: number): KeptAttempt {
  const { step, upstream, endpoint, method, path, spanId, resend, hedge, loopWaitMs, status, error } = one
  // What has not happened has not happened by its end.
  const ended = Number.isNaN(one.ended) ? until : one.ended
  const offset = (at: number): number => (Number.isNaN(at) ? ended : at) - began
  return {
    step,
    upstream,
    endpoint,
    method,
    path: path.split('?', 1)[0] as string,
    spanId,
    resend,
    hedge,
    loopWaitMs,
    beganMs: offset(one.began),
    queuedMs: offset(one.queued),
    connectMs: offset(one.connected),
    sentMs: offset(one.sent),
    headMs: offset(one.head),
    endedMs: ended - began,
    ...(status !== 0 && { status }),
    ...(error !== null && { error }),
  }
}
