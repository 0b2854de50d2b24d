/**
 * Lends things of which each serves so many at a time: the one used last first, so that the others may fall idle; a new
 * one while there are fewer than `max`; and when all are out, the next that comes back, in the order of asking.
 */
export class Lender<T extends object> {
  readonly #make: () => T
  readonly #max: number
  readonly #each: number
  readonly #free: T[] = []
  readonly #retired = new WeakSet<T>()
  readonly #waiting = new Set<(thing: T) => void>()
  #made = 0
  #handing = false

  constructor(max: number, make: () => T, each = 1) {
    this.#max = max
    this.#each = each
    this.#make = make
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.size
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

  /** Lends a thing no more: another may be made in its stead. */
  retire(thing: T): void {
    if (this.#retired.has(thing)) return
    this.#retired.add(thing)
    this.#made--
    for (let i = this.#free.length - 1; i >= 0; i--) if (this.#free[i] === thing) this.#free.splice(i, 1)
  }

  /** Takes a thing back; one that is `spent` is lent again only when there is no other. */
  giveBack(thing: T, spent = false): void {
    if (this.#retired.has(thing)) return
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
