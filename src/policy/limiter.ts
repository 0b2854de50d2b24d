/** How many may be at work at once, and how many may wait for how long. */
export interface LimiterOptions {
  /** A number, or what gives the present one: asked at every decision. */
  readonly max: number | (() => number)
  readonly queue: number
  /** The longest wait in ms. Without one it is 500 ms for a burst and 20 ms once the queue stands. */
  readonly waitMs?: number | undefined
}

// CoDel (Nichols and Jacobson 2012), as adapted to queues of requests in "Fail at Scale" (Maurer 2015): a queue is
// overload only when for a whole interval nobody got through it quickly. A burst, as a cold start makes of any few
// hundred requests, passes; so does a queue that is long because this loop itself is busy.
const intervalMs = 500
const targetMs = 20

// What one gap tells of the time between two permits: they come in lumps, and the last eight or so are looked at.
const share = 1 / 8

/** Decides who may go, who may wait and for how long. It keeps count; the queue itself is its owner's. */
export class Limiter {
  readonly #max: () => number
  readonly #queue: number
  readonly #waitMs: number | undefined
  readonly #targetMs: number
  #busy = 0
  #queued = 0
  #intervalEnds = 0
  #shortestWaitMs = 0
  #standing = false
  /** When the queue last moved, and the time between two that go from it: 0 until two have gone. */
  #movedAt = 0
  #gapMs = 0

  constructor({ max, queue, waitMs }: LimiterOptions) {
    this.#max = typeof max === 'number' ? () => max : max
    this.#queue = queue
    this.#waitMs = waitMs
    // A written wait shorter than the target would never show a queue that stands.
    this.#targetMs = Math.min(targetMs, (waitMs ?? Infinity) / 2)
  }

  /** How many may hold a permit. */
  get max(): number {
    return this.#max()
  }

  /** How many hold a permit. */
  get busy(): number {
    return this.#busy
  }

  /** How many wait for one. */
  get queued(): number {
    return this.#queued
  }

  /**
   * Whether the queue stands. Then who came last goes first (adaptive LIFO, "Fail at Scale"): it can still be served in
   * time, where in the order of coming each would get its permit just too late.
   */
  get standing(): boolean {
    return this.#standing
  }

  /** Takes a permit if one is free and nobody waits for it. */
  enter(): boolean {
    if (this.#busy >= this.#max() || this.#queued > 0) return false
    this.#busy++
    this.#shortestWaitMs = 0
    return true
  }

  /**
   * Takes a place in the queue and gives the wait in ms that is allowed; null when the queue is full, or when one that
   * has `leftMs` left must expect to wait for longer.
   */
  queue(now: number, leftMs = Infinity): number | null {
    if (this.#queued >= this.#queue || this.#expectedMs(now) > leftMs) return null
    if (this.#queued === 0) {
      // What an earlier queue has taught is forgotten: else a slow one would have all refused who could unteach it.
      this.#movedAt = now
      this.#gapMs = 0
    }
    this.#queued++
    if (now >= this.#intervalEnds) {
      // Half the target ends it: who came before the queue stood is not patient for longer than the target.
      this.#standing = this.#shortestWaitMs > (this.#standing ? this.#targetMs / 2 : this.#targetMs)
      this.#shortestWaitMs = Infinity
      this.#intervalEnds = now + intervalMs
    }
    return this.#waitMs ?? (this.#standing ? targetMs : intervalMs)
  }

  /** Gives up a place in the queue. */
  unqueue(): void {
    this.#queued--
  }

  /** Hands a permit back, and gives how many of those who wait are to go now: they have permits. */
  leave(): number {
    this.#busy--
    if (this.#queued === 0) return 0
    // None while more are busy than may be, more than one once the limit has grown.
    const going = Math.max(0, Math.min(this.#queued, this.#max() - this.#busy))
    this.#queued -= going
    this.#busy += going
    return going
  }

  /** Learns that one goes from the queue, and how long the first of the queue had waited by then. */
  waited(now: number, ms: number): void {
    this.#shortestWaitMs = Math.min(this.#shortestWaitMs, ms)
    this.#gapMs += (now - this.#movedAt - this.#gapMs) * (this.#gapMs === 0 ? 1 : share)
    this.#movedAt = now
  }

  // The next permit is due when the last gaps say, or overdue; those ahead need one gap each.
  #expectedMs(now: number): number {
    if (this.#queued === 0) return 0
    const ahead = this.#standing ? 0 : this.#queued
    return ahead * this.#gapMs + Math.max(this.#gapMs, now - this.#movedAt)
  }
}
