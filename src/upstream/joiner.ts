import type { Lender } from './lender.ts'

type Use<T> = (thing: T) => void

/**
 * Lends what a Lender has, alone as that does, or to several at a time: those who ask to join within one turn of the
 * loop get the same thing, up to `most` of them. A thing goes back when the last of them has given it back.
 */
export class Joiner<T extends object> {
  readonly #lender: Lender<T>
  readonly #most: number
  /** Things that are shared, with how many have them, and whether one has spent it. */
  readonly #joined = new Map<T, { users: number; spent: boolean }>()
  /** What the others of this turn may share. */
  #open: T | null = null
  /** What the lender was asked with, for those who wait to join. */
  readonly #asked = new Map<Use<T>, Use<T>>()

  constructor(lender: Lender<T>, most: number) {
    this.#lender = lender
    this.#most = most
  }

  /** How many wait. */
  get waiting(): number {
    return this.#lender.waiting
  }

  /** Lends a thing to `use` alone, now or later, as a Lender does. */
  lend(use: Use<T>, fresh = false): void {
    this.#lender.lend(use, fresh)
  }

  /** Lends a thing to `use` and to others of this turn, now or later. */
  join(use: Use<T>): void {
    const open = this.#open
    const share = open === null ? undefined : this.#joined.get(open)
    if (open !== null && share !== undefined) {
      if (++share.users === this.#most) this.#open = null
      return use(open)
    }
    const begin = (thing: T): void => {
      this.#asked.delete(use)
      this.#joined.set(thing, { users: 1, spent: false })
      if (this.#open === null) setImmediate(() => (this.#open = null))
      this.#open = thing
      use(thing)
    }
    this.#asked.set(use, begin)
    this.#lender.lend(begin)
  }

  /** Takes a wish back that may not have been fulfilled yet. */
  forget(use: Use<T>): void {
    this.#lender.forget(this.#asked.get(use) ?? use)
    this.#asked.delete(use)
  }

  /** Lends a thing no more: another may be made in its stead. */
  retire(thing: T): void {
    if (this.#open === thing) this.#open = null
    this.#lender.retire(thing)
  }

  /** Takes a thing back; one that is `spent` is lent again only when there is no other. */
  giveBack(thing: T, spent = false): void {
    const share = this.#joined.get(thing)
    if (share === undefined) return this.#lender.giveBack(thing, spent)
    share.spent ||= spent
    // Whoever came to it now would not know what has become of it.
    if (this.#open === thing) this.#open = null
    if (--share.users > 0) return
    this.#joined.delete(thing)
    this.#lender.giveBack(thing, share.spent)
  }
}
