/** How many may be at work at once, and how many may wait for how long. */
export interface LimiterOptions {
  readonly max: number
  readonly queue: number
  /** The longest wait in ms; without one, a burst may wait `burstMs` and a standing queue `standingWaitMs`. */
  readonly waitMs?: number | undefined
}

// A queue that has not been empty for this long is overload; a younger one is a burst, which a cold start makes
// of any few hundred requests. The distinction is CoDel's (Nichols and Jacobson 2012), as adapted to request
// queues in "Fail at Scale" (Maurer 2015).
const burstMs = 500
const standingWaitMs = 20

/** Decides who may go, who may wait and for how long. It keeps count; the queue itself is its owner's. */
export class Limiter {
  readonly #options: LimiterOptions
  #busy = 0
  #queued = 0
  #standingSince = 0

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
    return true
  }

  /** Takes a place in the queue and gives the wait in ms that is allowed, or null when the queue is full. */
  queue(now: number): number | null {
    if (this.#queued >= this.#options.queue) return null
    if (this.#queued++ === 0) this.#standingSince = now
    if (this.#options.waitMs !== undefined) return this.#options.waitMs
    return Math.max(standingWaitMs, burstMs - (now - this.#standingSince))
  }

  /** Gives up a place in the queue. */
  unqueue(): void {
    this.#queued--
  }

  /** Hands a permit back. True: the first in the queue is to go in its stead, and has the permit now. */
  leave(): boolean {
    if (this.#queued > 0 && this.#busy <= this.#options.max) {
      this.#queued--
      return true
    }
    this.#busy--
    return false
  }
}
