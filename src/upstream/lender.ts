/**
 * Lends things of which each serves so many at a time: the one used last first, so that the others may fall idle; a new
 * one while there are fewer than `max`; and when all are out, the next that comes back, in the order of asking.
 */
export class Lender<T extends object> {
  readonly #make: () => T
  readonly #max: number
  readonly #each: number
  readonly #free: T[] = []
  readonly #spent: T[] = []
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

  /** Lends a thing to `use`, now or later; a `fresh` one is new or spent, if there can be such. */
  lend(use: (thing: T) => void, fresh = false): void {
    const free = (fresh ? undefined : this.#free.pop()) ?? this.#spent.pop()
    if (free !== undefined) return use(free)
    if (this.#made < this.#max) return use(this.#makeOne())
    const used = this.#free.pop()
    if (used !== undefined) return use(used)
    this.#waiting.add(use)
  }

  #makeOne(): T {
    this.#made++
    const made = this.#make()
    for (let i = 1; i < this.#each; i++) this.#free.push(made)
    return made
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
    for (const all of [this.#free, this.#spent]) {
      for (let i = all.length - 1; i >= 0; i--) if (all[i] === thing) all.splice(i, 1)
    }
  }

  /** Takes a thing back; one that is `spent` is lent again only when there is no other. */
  giveBack(thing: T, spent = false): void {
    if (this.#retired.has(thing)) return
    const to = spent ? this.#spent : this.#free
    to.push(thing)
    // Whoever gets it may give it back at once: handed on from within, thousands who wait would exhaust the stack.
    if (this.#handing) return
    this.#handing = true
    for (const next of this.#waiting) {
      const free = this.#free.pop() ?? this.#spent.pop()
      if (free === undefined) break
      this.#waiting.delete(next)
      next(free)
    }
    this.#handing = false
  }
}
