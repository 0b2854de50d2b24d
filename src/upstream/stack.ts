import type { Layer, Outcome, Upstream } from '../call/call.ts'
import { verdictOf } from '../call/failure.ts'
import type { Wheel } from '../call/wheel.ts'
import type { Errand } from '../call/work.ts'
import type { Ledger } from '../telemetry/ledger.ts'
import { Breaker, type BreakerOptions } from '../policy/breaker.ts'
import { Budget } from '../policy/budget.ts'
import { Gradient } from '../policy/gradient.ts'
import { Latencies } from '../policy/latency.ts'
import { Limiter } from '../policy/limiter.ts'
import type { CallMeter } from '../telemetry/meters.ts'
import { breaker } from './breaker.ts'
import { hedge } from './hedge.ts'
import { limit } from './limit.ts'
import { measure } from './measure.ts'
import { retry } from './retry.ts'
import { timeout } from './timeout.ts'
import { type WiresOptions, wires } from './wires.ts'

/** What the operator says of an upstream, in ms, bytes and counts. */
export interface UpstreamOptions extends WiresOptions {
  readonly limit: {
    readonly adaptive: boolean
    readonly max: number
    readonly queue: number
    readonly wait?: number | undefined
  }
  readonly retry: Retry
  readonly hedge: Hedge | null
  readonly breaker: BreakerOptions | null
}

interface Retry {
  readonly more: number
  readonly budget: number
}

interface Hedge {
  /** A duration in ms, or a percentile such as `p95`. */
  readonly after: number | string
}

/** What a step may say otherwise than its upstream. */
export interface Overrides {
  readonly timeout?: number | undefined
  readonly retry?: { readonly more: number; readonly budget?: number } | undefined
  readonly hedge?: Hedge | null | undefined
}

/** What the stack of an upstream stands on. */
export interface StackGround {
  readonly wheel: Wheel
  readonly meter: CallMeter
  readonly ledger: Ledger
  /** Stands for whom a call is made on nobody's behalf. */
  readonly unasked: Errand
  /** The share of time that the loop is busy. */
  readonly utilisation: () => number
  /** Says what has happened to the upstream: `breaker open`. */
  readonly tell: (message: string, fields: Readonly<Record<string, unknown>>) => void
}

/** An upstream with all its layers, as a function of what a step overrides; all such share what they know of it. */
export interface Stack {
  with(overrides: Overrides): Upstream
  /** Ends all connections, and all that follows the upstream. */
  readonly destroy: () => Promise<void>
}

/** Makes an upstream from its options. The order of the layers is this file's one purpose. */
export function stack(options: UpstreamOptions, ground: StackGround): Stack {
  const endpoints = wires(options, ground)
  const budget = new Budget()
  const permits = permitsOf(options, ground)
  const racing = { latencies: new Latencies(), budget, limiter: permits.limiter, crowded: endpoints.crowded }
  const breaking = options.breaker === null ? [] : [breakerOf(options.breaker, ground)]

  // Outermost first. A layer that the options switch off is not in the list.
  return {
    with({ timeout: ms = options.timeout, retry: own, hedge: race = options.hedge }) {
      const again = { ...options.retry, ...own }
      return layered(
        // Outermost: a share, a refusal and a reply are all one call.
        measure(ground.meter),
        // Above breaker and limit: each attempt is judged and counted by them.
        ...(again.more === 0 && race === null ? [] : [retryOf(again, budget, endpoints.count, ground)]),
        // Below retry, above breaker, paid from the same budget.
        ...(race === null ? [] : [hedgeOf(race, again.budget, racing, ground)]),
        // Above limit: an open breaker must not hold a permit; above timeout: it must see timeouts.
        ...breaking,
        // Above timeout: waiting for a permit must not eat the attempt's time; its queue is bounded.
        permits.layer,
        // Around the choice of an endpoint, which an attempt makes once: the wait for a name's first address is its time.
        timeout(ms),
        // What is above speaks of the upstream, what is below of one endpoint.
        endpoints.upstream,
      )
    },
    destroy: endpoints.destroy,
  }
}

function retryOf(
  { more, budget: share }: Retry,
  budget: Budget,
  endpoints: () => number,
  { wheel, meter }: StackGround,
): Layer {
  const now = (): number => wheel.now()
  return retry(budget, { more, share, endpoints, now, random: Math.random, onRetry: () => meter.retried() })
}

/** What all steps that race share of an upstream. */
interface Racing {
  readonly latencies: Latencies
  readonly budget: Budget
  readonly limiter: Limiter
  /** Whether calls wait for a connection. */
  readonly crowded: () => boolean
}

// Above this calls wait for this loop more than for an upstream, and a second attempt would take from others the time that it is to save.
const busyLoop = 0.8

function hedgeOf(
  { after }: Hedge,
  share: number,
  { latencies, budget, limiter, crowded }: Racing,
  { wheel, meter, utilisation }: StackGround,
): Layer {
  const quantile = typeof after === 'string' ? Number(after.slice(1)) / 100 : null
  return hedge(wheel, {
    afterMs: () => (quantile === null ? (after as number) : latencies.at(wheel.now(), quantile)),
    allowed: () =>
      utilisation() < busyLoop &&
      limiter.queued === 0 &&
      limiter.busy < limiter.max &&
      !crowded() &&
      budget.take(wheel.now(), share),
    took: (ms) => latencies.add(wheel.now(), ms),
    onHedge: () => meter.hedged(),
  })
}

function breakerOf(options: BreakerOptions, { wheel, meter, tell }: StackGround): Layer {
  const policy = new Breaker(options, Math.random)
  return breaker(
    policy,
    () => wheel.now(),
    (state) => {
      meter.breaker(state)
      tell(`breaker ${state}`, {})
    },
  )
}

// A queue that costs less is no harm, and a loop that is half busy makes such waits as well.
const leastMs = 10

function permitsOf(
  { limit: { adaptive, max, queue, wait } }: UpstreamOptions,
  { wheel, meter, utilisation }: StackGround,
) {
  if (!adaptive) {
    meter.limit(max)
    const limiter = new Limiter({ max, queue, waitMs: wait })
    return { limiter, layer: limit(limiter, wheel) }
  }
  let gradient = new Gradient({ max })
  const limiter = new Limiter({ max: () => gradient.limit, queue, waitMs: wait })
  meter.limit(gradient.limit)
  const learn = (now: number, tookMs: number, inFlight: number, outcome: Outcome): void => {
    if (utilisation() > busyLoop) {
      // What calls take now is our own doing, and fewer of them would be quicker: it would shrink to nothing.
      if (gradient.limit < max) meter.limit((gradient = new Gradient({ max })).limit)
      return
    }
    const verdict = verdictOf(outcome)
    const late = !outcome.ok && outcome.error === 'http_response_timeout'
    // What fails at once, or was our own doing, says nothing of how many calls an upstream bears.
    if (verdict === 'unknown' || (verdict === 'bad' && !late && (outcome.ok || outcome.reply === undefined))) return
    gradient.sample(now, Math.max(tookMs, leastMs), inFlight, late || verdict === 'overload')
    meter.limit(gradient.limit)
  }
  return { limiter, layer: limit(limiter, wheel, learn) }
}

function layered(...parts: [...Layer[], Upstream]): Upstream {
  const layers = parts.slice(0, -1) as Layer[]
  return layers.reduceRight((next, layer) => layer(next), parts.at(-1) as Upstream)
}
