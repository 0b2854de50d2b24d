import * as hooks from 'node:perf_hooks'

/** How much longer turns of a loop took than it meant to wait, in ns. Sent to another thread it is still the same one. */
export interface Delays extends hooks.Histogram {
  /** Gives the share of turns, from 0 to 1, that were late by at most so much. */
  cdf(ns: number): number
  percentilesAt(percentiles: readonly number[]): Map<number, number>
  /** Writes all of it out at one moment. */
  export(): Uint8Array
}

// Node's types know less of it than there is.
const { importHistogram } = hooks as unknown as { readonly importHistogram: (exported: Uint8Array) => Delays }

/** Measures how late this thread's loop is. */
export interface DelayMeter {
  readonly delays: Delays
  /** Measures to the millisecond while the loop is busy. While it is not, ten cost less and do. */
  busy(is: boolean): void
}

type Options = Parameters<typeof hooks.monitorEventLoopDelay>[0]

// From 1 µs to an hour, to two digits: so a look at it takes a few µs, which is as long as the loop may have to wait.
const fineness = { lowest: 1_000, highest: 3_600_000_000_000, figures: 2 }
// What only another thread knows of is collected, and then nothing is measured any more.
const held: unknown[] = []

/**
 * Measures each turn of this thread's loop, until the thread ends. What comes in during a turn waits for its end, but
 * Node knows a turn to be late only by the next timer that is due: so there is always one soon, made in native code.
 */
export function measureDelays(): DelayMeter {
  // Node's types know less of it than there is.
  const monitor = hooks.monitorEventLoopDelay({ samplePerIteration: true, ...fineness } as Options)
  monitor.enable()
  const coarse = ticker(10)
  coarse.enable()
  const fine = ticker(1)
  const meter: DelayMeter = {
    delays: monitor as unknown as Delays,
    busy: (is) => void (is ? fine.enable() : fine.disable()),
  }
  held.push(meter, coarse)
  return meter
}

/** Takes the delays of a loop away: gives those since the time before, to which that loop adds no more. */
export function takeDelays(delays: Delays): Delays {
  const taken = importHistogram(delays.export())
  delays.reset()
  return taken
}

/** Makes a native timer that is due so often, for a few µs each. */
function ticker(everyMs: number) {
  return hooks.monitorEventLoopDelay({
    resolution: everyMs,
    lowest: 1_000_000,
    highest: 2_000_000,
    figures: 1,
  } as Options)
}
