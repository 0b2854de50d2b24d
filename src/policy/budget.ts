import { Ring, buckets } from './ring.ts'

// 10 s as in Finagle's RetryBudget and behaviour.md: a call costs no more than a look at the clock's second.
const bucketMs = 1_000
// behaviour.md: else an upstream with few calls would never be given a second chance.
const least = 3

/**
 * Bounds the further attempts (retries and hedges) at one upstream to a share of its calls (compare Finagle's
 * RetryBudget), so that an upstream in trouble is not buried under them.
 *
 * In any ten adjacent seconds of the clock no more are taken than the greater of 3 and the share of the calls that
 * were counted in the ten seconds up to the last one taken. A bucket is forgotten whole: 10 s that begin in mid-second
 * touch eleven of them, and may see the first one's again.
 */
export class Budget {
  readonly #calls = new Uint32Array(buckets)
  readonly #taken = new Uint32Array(buckets)
  readonly #ring = new Ring(bucketMs, (at) => {
    this.#calls[at] = 0
    this.#taken[at] = 0
  })

  /** Counts a first attempt. */
  call(now: number): void {
    const at = this.#ring.at(now)
    this.#calls[at] = (this.#calls[at] as number) + 1
  }

  /** Asks for one further attempt: true and counted, or false. `share` is the share of calls, as a fraction. */
  take(now: number, share: number): boolean {
    const at = this.#ring.at(now)
    const taken = sum(this.#taken) + 1
    // Divided, not multiplied: 0.29 × 100 is less than 29, but 29 / 100 is what 0.29 is read to.
    if (taken > least && taken / sum(this.#calls) > share) return false
    this.#taken[at] = (this.#taken[at] as number) + 1
    return true
  }
}

function sum(counts: Uint32Array): number {
  let all = 0
  for (let i = 0; i < buckets; i++) all += counts[i] as number
  return all
}
