/**
 * Estimates a quantile of what was counted in buckets: within a bucket as if evenly spread, as Prometheus'
 * histogram_quantile does; beyond the last edge that edge. Null when nothing was counted.
 */
export function quantile(bounds: readonly number[], counts: readonly number[], q: number): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0)
  if (total === 0) return null
  const rank = q * total
  let below = 0
  for (const [i, bound] of bounds.entries()) {
    const count = counts[i] ?? 0
    if (count > 0 && below + count >= rank) {
      const from = bounds[i - 1] ?? 0
      return from + ((rank - below) / count) * (bound - from)
    }
    below += count
  }
  return bounds.at(-1) ?? null
}

/** Adds what was counted in each of the last seconds: one second is too few for a p99. */
export class Window {
  readonly #most: number
  #seconds: (readonly number[])[] = []

  constructor(seconds: number) {
    this.#most = seconds
  }

  add(counts: readonly number[]): void {
    this.#seconds = [...this.#seconds, counts].slice(-this.#most)
  }

  sums(): number[] {
    const [first = [], ...others] = this.#seconds
    return first.map((count, i) => others.reduce((sum, counts) => sum + (counts[i] ?? 0), count))
  }
}
