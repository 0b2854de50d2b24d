// A latency counts for half after about 7 s: long enough to be smooth, short enough to notice a recovery.
const memoryMs = 10_000
// What a failure counts as: an endpoint that fails at once must not look quick and draw all calls to it.
const failureMs = 1_000

/** The load of one endpoint: what is under way, and how long its calls have lately taken. */
export class Load {
  #inFlight = 0
  #latencyMs = 0
  #seenAt = 0

  /** What one more call would cost here: in-flight × latency (peak EWMA, as in Finagle's balancer). */
  cost(now: number): number {
    // An endpoint without history counts as quick, so that it is tried.
    return (this.#inFlight + 1) * (this.#decayed(now) + 1)
  }

  /** How many calls are under way. */
  get inFlight(): number {
    return this.#inFlight
  }

  /** Counts a call that begins. */
  begin(): void {
    this.#inFlight++
  }

  /** Counts a call that has ended after `ms`. */
  end(now: number, ms: number, answered: boolean): void {
    const tookMs = answered ? ms : Math.max(ms, failureMs)
    const decayed = this.#decayed(now)
    // A slow answer is believed at once, a quick one bit by bit.
    const share = 1 - Math.exp(-(now - this.#seenAt) / memoryMs)
    this.#learn(now, tookMs > decayed ? tookMs : decayed + tookMs * share)
  }

  /** Counts a call that was given up after `ms`, which says no more than that it would have taken longer. */
  leave(now: number, ms: number): void {
    this.#learn(now, Math.max(ms, this.#decayed(now)))
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

/** Chooses the less loaded of two endpoints drawn at random (Mitzenmacher 2001); `random` gives [0, 1). */
export function chooseOfTwo(loads: readonly Load[], now: number, random: () => number): number {
  if (loads.length === 1) return 0
  const a = Math.floor(random() * loads.length)
  // The second is drawn from the others, so that two are always compared.
  const b = (a + 1 + Math.floor(random() * (loads.length - 1))) % loads.length
  return (loads[a] as Load).cost(now) <= (loads[b] as Load).cost(now) ? a : b
}
