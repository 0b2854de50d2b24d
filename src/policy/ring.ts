/** How many buckets a ring has: fine enough that what was counted is forgotten bit by bit. */
export const buckets = 10

/** Knows which of ten buckets a moment belongs to, and tells of each that is to be used anew so that it is emptied. */
export class Ring {
  readonly #bucketMs: number
  readonly #empty: (at: number) => void
  #bucket = -Infinity
  #at = 0

  constructor(bucketMs: number, empty: (at: number) => void) {
    this.#bucketMs = bucketMs
    this.#empty = empty
  }

  /** The bucket of the present moment. */
  at(now: number): number {
    const bucket = Math.floor(now / this.#bucketMs)
    // After a long silence one round empties all.
    this.#turn(Math.min(bucket - this.#bucket, buckets))
    this.#bucket = bucket
    return this.#at
  }

  /** Empties all. */
  clear(): void {
    this.#turn(buckets)
  }

  #turn(count: number): void {
    for (let left = count; left > 0; left--) {
      this.#at = (this.#at + 1) % buckets
      this.#empty(this.#at)
    }
  }
}
