// A latency counts for half after about 7 s: long enough to be smooth, short enough to notice a recovery.
const memoryMs = 10_000
// An endpoint that fails at once must not look quick and draw all calls to it. A failure counts as twice what calls take,
// here or elsewhere, within these bounds: one, as any endpoint has now and then, costs it some calls, and some in a row
// nearly all.
const leastFailureMs = 5
const failureMs = 1_000
// How an endpoint starts that is new among others or has been out: at a tenth, as Envoy's slow start does, and for as
// long as the memory of latencies, so that what is known of it at the end is what it does at full load.
const startWeight = 0.1
const startMs = memoryMs

/** The load of one endpoint: what is under way, and how long its calls have lately taken. */
export class Load {
  #inFlight = 0
  #latencyMs = 0
  #seenAt = 0
  #startedAt = -Infinity

  /** What one more call would cost here: in-flight × latency (peak EWMA, as in Finagle's balancer), by its weight. */
  cost(now: number): number {
    // An endpoint without history counts as quick, so that it is tried.
    return ((this.#inFlight + 1) * (this.#decayed(now) + 1)) / this.#weight(now)
  }

  /** Forgets how long calls took, as that of an endpoint that has failed, and starts slowly beside the others. */
  start(now: number, others: readonly Load[]): void {
    // It is taken for one of them: if it counted as quick, more calls than to any other would be on their way to it before
    // its first answer is in.
    this.#latencyMs = this.#usualOf(others, now)
    this.#seenAt = this.#startedAt = now
  }

  /** How many calls are under way. */
  get inFlight(): number {
    return this.#inFlight
  }

  /** Counts a call that begins. */
  begin(): void {
    this.#inFlight++
  }

  /** Counts a call that was answered after `ms`. */
  end(now: number, ms: number): void {
    const decayed = this.#decayed(now)
    // A slow answer is believed at once, a quick one bit by bit.
    const share = 1 - Math.exp(-(now - this.#seenAt) / memoryMs)
    this.#learn(now, ms > decayed ? ms : decayed + ms * share)
  }

  /** Counts a call that failed after `ms`; `others` are the endpoints beside it. */
  fail(now: number, ms: number, others: readonly Load[]): void {
    const decayed = this.#decayed(now)
    const least = 2 * Math.max(leastFailureMs, decayed, this.#usualOf(others, now))
    this.#learn(now, Math.max(ms, decayed, Math.min(failureMs, least)))
  }

  /** Counts a call that was given up after `ms`, which says no more than that it would have taken longer. */
  leave(now: number, ms: number): void {
    this.#learn(now, Math.max(ms, this.#decayed(now)))
  }

  /** Counts a call that has ended and from which nothing is to be learnt. */
  pass(): void {
    this.#inFlight--
  }

  /** What calls take elsewhere: the lower median, since some may have failed just now. */
  #usualOf(others: readonly Load[], now: number): number {
    const latencies = others.filter((one) => one !== this).map((one) => one.#decayed(now))
    return latencies.sort((a, b) => a - b)[(latencies.length - 1) >> 1] ?? 0
  }

  #weight(now: number): number {
    return Math.min(1, startWeight + ((1 - startWeight) * (now - this.#startedAt)) / startMs)
  }

  // Also of an endpoint that is not called any more: else one failure would keep all calls from it for good.
  #decayed(now: number): number {
    return this.#latencyMs * Math.exp(-(now - this.#seenAt) / memoryMs)
  }

  #learn(now: number, latencyMs: number): void {
    this.#inFlight--
    this.#latencyMs = latencyMs
    this.#seenAt = now
  }
}

/** One of those among which there is a choice. */
export interface Candidate {
  readonly key: string
  readonly load: Load
}

/**
 * Chooses the less loaded of two endpoints drawn at random (Mitzenmacher 2001); `random` gives [0, 1). Those that were
 * tried come last: they are drawn from only if there is no other.
 */
export function chooseOfTwo<T extends Candidate>(
  candidates: readonly T[],
  now: number,
  random: () => number,
  tried?: ReadonlySet<string>,
): T {
  if (tried === undefined || tried.size === 0) return ofTwo(candidates, now, random)
  const others = candidates.filter(({ key }) => !tried.has(key))
  return ofTwo(others.length === 0 ? candidates : others, now, random)
}

function ofTwo<T extends Candidate>(candidates: readonly T[], now: number, random: () => number): T {
  const { length } = candidates
  if (length === 1) return candidates[0] as T
  const first = Math.floor(random() * length)
  const a = candidates[first] as T
  // The second is drawn from the others, so that two are always compared.
  const b = candidates[(first + 1 + Math.floor(random() * (length - 1))) % length] as T
  return a.load.cost(now) <= b.load.cost(now) ? a : b
}
