/** How many may be at work at once, and how many may wait for how long. */
export interface LimiterOptions {
  readonly max: number
  readonly queue: number
  /** The longest wait in ms. Without one it is 500 ms for a burst and 20 ms once the queue stands. */
  readonly waitMs?: number | undefined
}

// CoDel (Nichols and Jacobson 2012), as adapted to queues of requests in "Fail at Scale" (Maurer 2015): a queue is
// overload only when for a whole interval nobody got through it quickly. A burst, as a cold start makes of any few
// hundred requests, passes; so does a queue that is long because this loop itself is busy.
const intervalMs = 500
const targetMs = 20

/** Decides who may go, who may wait and for how long. It keeps count; the queue itself is its owner's. */
export class Limiter {
  readonly #options: LimiterOptions
  #busy = 0
  #queued = 0
  #intervalEnds = 0
  #shortestWaitMs = 0
  #standing = false

  constructor(options: LimiterOptions) {
    this.#options = options
  }

  /** How many hold a permit. */
  get busy(): number {
    return this.#busy
  }

  /** How many wait for one. */
  get queued(): number {
    return this.#queued
  }

  /** Takes a permit if one is free and nobody waits for it. */
  enter(): boolean {
    if (this.#busy >= this.#options.max || this.#queued > 0) return false
    this.#busy++
    this.#shortestWaitMs = 0
    return true
  }

  /** Takes a place in the queue and gives the wait in ms that is allowed, or null when the queue is full. */
  queue(now: number): number | null {
    if (this.#queued >= this.#options.queue) return null
    this.#queued++
    if (now >= this.#intervalEnds) {
      this.#standing = this.#shortestWaitMs > targetMs
      this.#shortestWaitMs = Infinity
      this.#intervalEnds = now + intervalMs
    }
    return this.#options.waitMs ?? (this.#standing ? targetMs : intervalMs)
  }

  /** Gives up a place in the queue. */
  unqueue(): void {
    this.#queued--
  }

  /** Hands a permit back. True: the first in the queue is to go in its stead, and has the permit now. */
  leave(): boolean {
    if (this.#queued > 0) {
      this.#queued--
      return true
    }
    this.#busy--
    return false
  }

  /** Learns how long one that has got a permit from the queue had waited. */
  waited(ms: number): void {
    this.#shortestWaitMs = Math.min(this.#shortestWaitMs, ms)
  }
}
