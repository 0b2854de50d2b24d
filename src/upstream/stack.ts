import type { Store } from '../cache/store.ts'
import type { Call, Layer, Outcome, Upstream } from '../call/call.ts'
import { verdictOf } from '../call/failure.ts'
import type { Wheel } from '../call/wheel.ts'
import type { Errand } from '../call/work.ts'
import type { Ledger } from '../telemetry/ledger.ts'
import { Breaker, type BreakerOptions } from '../policy/breaker.ts'
import { Budget } from '../policy/budget.ts'
import { Gradient } from '../policy/gradient.ts'
import { Latencies } from '../policy/latency.ts'
import { Limiter } from '../policy/limiter.ts'
import { Recent } from '../policy/recent.ts'
import type { CallMeter } from '../telemetry/meters.ts'
import { breaker } from './breaker.ts'
import { cache } from './cache.ts'
import { coalesce } from './coalesce.ts'
import { hedge } from './hedge.ts'
import type { Keeper } from './keep.ts'
import { limit } from './limit.ts'
import { measure } from './measure.ts'
import { retry } from './retry.ts'
import { valueIn } from './stored.ts'
import { timeout } from './timeout.ts'
import { type WiresOptions, busyLoop, wires } from './wires.ts'

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
  /** How long replies are kept; null: not at all. */
  readonly cache?: Kept | null | undefined
  /** Keeps the replies of a step apart from those of others that ask in other ways. */
  readonly word?: string | undefined
}

/** How long replies are kept, in ms. */
interface Kept {
  readonly ttl: number | 'http'
  readonly stale?: number | undefined
  readonly onError?: number | undefined
  readonly heuristic?: number | undefined
}

/** What the stack of an upstream stands on. */
export interface StackGround {
  readonly wheel: Wheel
  readonly name: string
  readonly store: Store
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
  const keeping = keepingOf(options, ground)
  const breaking = options.breaker === null ? [] : [breakerOf(options.breaker, ground)]

  // Outermost first. A layer that the options switch off is not in the list.
  return {
    with({ timeout: ms = options.timeout, retry: own, hedge: race = options.hedge, cache: kept = null, word = '' }) {
      const again = { ...options.retry, ...own }
      return layered(
        // Outermost: a share, a refusal and a reply are all one call.
        measure(ground.meter),
        // Above everything that costs: a hit takes no permit, no budget, no span.
        ...(kept === null ? [] : [keeping.cache(kept, word)]),
        // Above retry: those who wait together retry once.
        ...(kept === null ? [] : [keeping.coalesce]),
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

// A larger reply passes by: one that is kept lies whole in memory, twice while it is passed on.
const maxKeptBytes = 1024 ** 2
// A hundred hosts by which one upstream is reached are more than anybody has; a client can name any number.
const maxWords = 100
const remembered = 1_000

/** What all steps share of keeping an upstream's replies. */
function keepingOf(options: UpstreamOptions, { name, store, wheel, meter }: StackGround) {
  const words = new Set<string>()
  const shared: Omit<Keeper, 'rules' | 'wordOf'> = {
    store,
    wheel,
    now: () => Date.now(),
    upstream: name,
    words,
    changes: new Recent(remembered),
    unshared: new Recent(remembered),
    refreshing: new Set(),
    origin: {
      hosts: options.endpoints.map(({ origin }) => new URL(origin).host),
      bases: options.endpoints.map(({ path }) => path),
    },
    maxBytes: Math.min(maxKeptBytes, options.maxBody),
    trusted: options.trusted,
    count: (status) => meter.cache(status),
  }
  const wordOf = (call: Call, word: string): string => {
    const made = call.sink === undefined ? word : hostOf(call, word)
    if (words.size < maxWords) words.add(made)
    return made
  }
  return {
    cache({ ttl, stale = 0, onError = 0, heuristic = 0 }: Kept, word: string): Layer {
      return cache({ ...shared, rules: { ttl, stale, onError, heuristic }, wordOf: (call) => wordOf(call, word) })
    },
    coalesce: coalesce({ wheel, store, leaseMs: options.timeout, flights: new Map() }),
  }
}

/** What a client calls the host is told to the upstream, and may stand in its reply. */
function hostOf(call: Call, word: string): string {
  const valueOf = valueIn(call)
  return `${word} ${valueOf('x-forwarded-proto')}://${valueOf('x-forwarded-host')}`
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
      // Else it would take from others the time that it is to save.
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
  const queued = (calls: number): void => meter.queued(calls)
  if (!adaptive) {
    meter.limit(max)
    const limiter = new Limiter({ max, queue, waitMs: wait })
    return { limiter, layer: limit(limiter, wheel, undefined, queued) }
  }
  const gradient = new Gradient({ max })
  const limiter = new Limiter({ max: () => gradient.limit, queue, waitMs: wait })
  meter.limit(gradient.limit)
  const learn = (now: number, tookMs: number, inFlight: number, outcome: Outcome): void => {
    if (utilisation() > busyLoop) {
      gradient.excuse(now, inFlight)
      return meter.limit(gradient.limit)
    }
    const verdict = verdictOf(outcome)
    const late = !outcome.ok && outcome.error === 'http_response_timeout'
    // Few who answer 503 because there is too much to do say when to come back.
    const overloaded = late || verdict === 'overload' || (outcome.ok ? outcome : outcome.reply)?.status === 503
    // What fails at once, or was our own doing, says nothing of how many calls an upstream bears.
    if (verdict === 'unknown' || (verdict === 'bad' && !overloaded)) return
    gradient.sample(now, Math.max(tookMs, leastMs), inFlight, overloaded)
    meter.limit(gradient.limit)
  }
  return { limiter, layer: limit(limiter, wheel, learn, queued) }
}

function layered(...parts: [...Layer[], Upstream]): Upstream {
  const layers = parts.slice(0, -1) as Layer[]
  return layers.reduceRight((next, layer) => layer(next), parts.at(-1) as Upstream)
}
