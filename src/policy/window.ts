// Windows of 100–250 ms: behaviour.md. One with many calls closes early, one with few goes on: a mean of fewer says
// nothing.
/** How long a window is at least, in ms. */
export const shortestMs = 100
const longestMs = 250
const many = 100
/** How many calls a window has at least. */
export const few = 16

/** What was seen of the calls of a short while, as sums: adding one allocates nothing. */
export class Window {
  answered = 0
  mostInFlight = 0
  #openedAt = 0
  #overloaded = 0
  #inFlight = 0
  #ms = 0
  #logs = 0
  #squares = 0

  /** The mean of the latencies' logarithms: a queue shows in the quick calls, and one slow call does not hide it. */
  get latency(): number {
    return this.#logs / this.answered
  }

  /** The standard error of the latency. */
  get error(): number {
    return Math.sqrt(Math.max(0, this.#squares / this.answered - this.latency ** 2) / this.answered)
  }

  get meanMs(): number {
    return this.answered === 0 ? 0 : this.#ms / this.answered
  }

  get inFlight(): number {
    return this.#inFlight / (this.answered + this.#overloaded)
  }

  get overloadedShare(): number {
    return this.#overloaded / (this.answered + this.#overloaded)
  }

  isWhole(now: number): boolean {
    const count = this.answered + this.#overloaded
    return count >= few && now - this.#openedAt >= (count < many ? longestMs : shortestMs)
  }

  add(now: number, tookMs: number, inFlight: number, overloaded: boolean): void {
    if (this.answered + this.#overloaded === 0) this.#openedAt = now
    this.#inFlight += inFlight
    if (inFlight > this.mostInFlight) this.mostInFlight = inFlight
    if (overloaded) this.#overloaded++
    else {
      // Below 0.05 ms it is the clock that is measured.
      const log = Math.log(Math.max(0.05, tookMs))
      this.answered++
      this.#ms += tookMs
      this.#logs += log
      this.#squares += log * log
    }
  }

  clear(): void {
    this.answered = this.mostInFlight = this.#overloaded = this.#inFlight = 0
    this.#ms = this.#logs = this.#squares = 0
  }
}
