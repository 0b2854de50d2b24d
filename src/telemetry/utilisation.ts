import { type EventLoopUtilization, performance } from 'node:perf_hooks'

/** Knows how busy this thread's loop was between the last two times that somebody looked, from 0 to 1. */
export class Utilisation {
  #before: EventLoopUtilization = performance.eventLoopUtilization()
  #last = 0

  /** The share of time that the loop was busy when `look` was last called. */
  get last(): number {
    return this.#last
  }

  /** Looks; to be called at even intervals. */
  look(): void {
    const current = performance.eventLoopUtilization()
    this.#last = performance.eventLoopUtilization(current, this.#before).utilization
    this.#before = current
  }
}
