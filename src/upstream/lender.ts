/**
 * Lends things of which each serves so many at a time: the one used last first, so that the others may fall idle; a new
 * one while there are fewer than `max`; and when all are out, the next that comes back, in the order of asking.
 */
export class Lender<T> {
  readonly #make: () => T
  readonly #max: number
  readonly #each: number
  readonly #free: T[] = []
  readonly #waiting = new Set<(thing: T) => void>()
  #made = 0
  #handing = false

  constructor(max: number, make: () => T, each = 1) {
    this.#max = max
    this.#each = each
    this.#make = make
  }

  /** Lends a thing to `use`, now or later. */
  lend(use: (thing: T) => void): void {
    const free = this.#free.pop()
    if (free !== undefined) return use(free)
    if (this.#made >= this.#max) return void this.#waiting.add(use)
    this.#made++
    const made = this.#make()
    for (let i = 1; i < this.#each; i++) this.#free.push(made)
    use(made)
  }

  /** Takes a wish back that may not have been fulfilled yet. */
  forget(use: (thing: T) => void): void {
    this.#waiting.delete(use)
  }

  /** Takes a thing back; one that is `spent` is lent again only when there is no other. */
  giveBack(thing: T, spent = false): void {
    if (spent) this.#free.unshift(thing)
    else this.#free.push(thing)
    // Whoever gets it may give it back at once: handed on from within, thousands who wait would exhaust the stack.
    if (this.#handing) return
    this.#handing = true
    for (const next of this.#waiting) {
      const free = this.#free.pop()
      if (free === undefined) break
      this.#waiting.delete(next)
      next(free)
    }
    this.#handing = false
  }
}
