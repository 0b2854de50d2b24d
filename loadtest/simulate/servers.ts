import type { Clock } from './clock.ts'
import type { Noticed } from './jitter.ts'

/** Draws how long a server is at work for one call that it begins now, in ms. */
export type Service = (now: number) => number

/** An upstream as queueing theory has it: so many servers, and one queue in the order of coming before them. */
export class Servers {
  readonly #clock: Clock
  readonly #service: Service
  readonly #noticed: Noticed
  readonly #queue: (() => void)[] = []
  #count: number
  #busy = 0

  constructor(clock: Clock, count: number, service: Service, noticed: Noticed = (happen) => happen()) {
    this.#clock = clock
    this.#count = count
    this.#service = service
    this.#noticed = noticed
  }

  /** How many calls wait for a server. */
  get queued(): number {
    return this.#queue.length
  }

  /** How many servers are at work. */
  get busy(): number {
    return this.#busy
  }

  /** Changes how many servers there are; one that goes ends its call first. */
  resize(count: number): void {
    this.#count = count
    this.#begin()
  }

  /** Takes a call; `done` is told when it has been served. */
  take(done: () => void): void {
    this.#noticed(() => {
      this.#queue.push(done)
      this.#begin()
    })
  }

  #begin(): void {
    while (this.#busy < this.#count) {
      const done = this.#queue.shift()
      if (done === undefined) return
      this.#busy++
      this.#clock.after(this.#service(this.#clock.now), () =>
        this.#noticed(() => {
          this.#busy--
          done()
          this.#begin()
        }),
      )
    }
  }
}

/** Service times as of calls that have nothing in common: exponential. */
export function exponential(meanMs: number, random: () => number): Service {
  return () => -Math.log(1 - random()) * meanMs
}
