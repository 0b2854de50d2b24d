/** Counts the requests that one gateway serves, and tells when one that gets no more has none left. */
export class Crowd {
  #size = 0
  #onEmpty: (() => void) | null = null

  /** A request has come. */
  enter(): void {
    this.#size++
  }

  /** Its response is over. */
  leave(): void {
    if (--this.#size === 0) this.#onEmpty?.()
  }

  /** Settles when there is none. */
  empty(): Promise<void> {
    if (this.#size === 0) return Promise.resolve()
    return new Promise((resolve) => (this.#onEmpty = resolve))
  }
}
