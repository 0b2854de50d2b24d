/** How many latencies fell into each bucket. Buckets grow by 2 %, so that a quantile is off by 1 % at most. */
export type Histogram = Uint32Array

const growth = Math.log(1.02)
const leastMs = 0.05
const mostMs = 120_000
const buckets = Math.ceil(Math.log(mostMs / leastMs) / growth) + 1

/** Makes an empty histogram. */
export function histogram(): Histogram {
  return new Uint32Array(buckets)
}

/** Adds one latency. */
export function record(into: Histogram, ms: number): void {
  const bucket = Math.ceil(Math.log(ms / leastMs) / growth)
  into[Math.min(Math.max(bucket, 0), buckets - 1)]!++
}

/** Puts what several hold into one. */
export function merge(all: readonly Histogram[]): Histogram {
  const sum = histogram()
  for (const one of all) for (let i = 0; i < buckets; i++) sum[i]! += one[i]!
  return sum
}

/** The latency below which that share of the latencies lie; NaN of none. */
export function quantile(of: Histogram, share: number): number {
  let left = Math.ceil(share * of.reduce((sum, count) => sum + count, 0))
  if (left === 0) return NaN
  const bucket = of.findIndex((count) => (left -= count) <= 0)
  return leastMs * Math.exp((bucket - 0.5) * growth)
}
