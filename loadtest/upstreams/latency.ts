/** Draws the next waiting time in milliseconds. */
export type Latency = () => number

/** What a service takes to answer: half of the answers are faster than the median, one of a hundred slower than the p99. */
export interface Spread {
  readonly medianMs: number
  readonly p99Ms: number
}

/** The standard normal distribution's 99th percentile. */
const Z99 = 2.326348

/**
 * Draws log-normal waiting times, which is what services show: a short usual time and a long tail.
 *
 * The same random source gives the same times, so that a run can be repeated.
 */
export function logNormal({ medianMs, p99Ms }: Spread, random: () => number): Latency {
  const sigma = Math.log(p99Ms / medianMs) / Z99
  return () => medianMs * Math.exp(sigma * normal(random))
}

/** Makes a random source in [0, 1) that repeats itself for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** One draw from the standard normal distribution (Box and Muller). */
function normal(random: () => number): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random())) // 1 - random() is never 0, whose logarithm is infinite
  return radius * Math.cos(2 * Math.PI * random())
}
