import { median } from '../bench/stats.ts'

/** Memory of the gateway at one moment of the run. */
export interface Sample {
  /** From 0, the beginning of the run, to 1. */
  readonly at: number
  readonly rssBytes: number
  readonly heapBytes: number
}

/** What memory was in the second fifth of the run, and in the last. */
export interface Growth {
  readonly before: number
  readonly after: number
  /** As a share of what it was; below 0 if it shrank. */
  readonly share: number
}

/** How memory has grown from the second fifth of a run, when all is warm, to the last: medians of each. */
export function growthOf(samples: readonly Sample[], what: 'rssBytes' | 'heapBytes'): Growth {
  const between = (from: number, to: number) =>
    median(samples.filter(({ at }) => at >= from && at < to).map((sample) => sample[what]))
  const [before, after] = [between(0.2, 0.4), between(0.8, 1.01)]
  return { before, after, share: after / before - 1 }
}
