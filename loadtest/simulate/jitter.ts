import type { Clock } from './clock.ts'

/** What a machine that does other things besides does to a program, in ms. */
export interface Jitter {
  /** How much later everything is noticed, in the mean: the wire, and what else is to be done on the loop. */
  readonly lateMs: number
  /** How long it runs between two pauses, in the mean. */
  readonly runsMs: number
  /** How long it does not run, in the mean: another program has its core, or garbage is collected. */
  readonly pauseMs: number
}

/** Has something happen once the program notices it. */
export type Noticed = (happen: () => void) => void

/** A program that notices everything a little late, and nothing while it pauses. */
export function unsteady(clock: Clock, random: () => number, { lateMs, runsMs, pauseMs }: Jitter): Noticed {
  const exponential = (meanMs: number): number => -Math.log(1 - random()) * meanMs
  let pausesAt = exponential(runsMs)
  let runsAt = pausesAt + exponential(pauseMs)
  return (happen) => {
    let at = clock.now + exponential(lateMs)
    while (at > runsAt) {
      pausesAt = runsAt + exponential(runsMs)
      runsAt = pausesAt + exponential(pauseMs)
    }
    if (at > pausesAt) at = runsAt
    clock.after(at - clock.now, happen)
  }
}

/** How much later everything is noticed in the mean. */
export function latenessMs({ lateMs, runsMs, pauseMs }: Jitter): number {
  return lateMs + (pauseMs * pauseMs) / (runsMs + pauseMs)
}
