/** When an endpoint is ejected and for how long. */
export interface Ejection {
  /** How many failures in a row eject it. */
  readonly failures: number
  /** How long it is out, in ms, times the number of its ejections. */
  readonly for: number
}

// behaviour.md, "outlier ejection": 30 s × ejections up to 300 s.
const longest = 10

/** How one endpoint stands: by its calls, which may have it ejected for a while, and by what active checks find. */
export class Standing {
  #failures = 0
  #ejections = 0
  #ejected = false
  /** While it is ejected the moment of its return, else that of its last return. */
  #returnsAt = 0
  #healthy = true

  /** Whether it is out because of its failures. */
  get ejected(): boolean {
    return this.#ejected
  }

  /** Whether active checks, if there are any, find it well. */
  get healthy(): boolean {
    return this.#healthy
  }

  /** Whether nothing speaks against it. */
  get usable(): boolean {
    return this.#healthy && !this.#ejected
  }

  /** The moment when its ejection is over: Infinity when it is not ejected. */
  get returnsAt(): number {
    return this.#ejected ? this.#returnsAt : Infinity
  }

  /** Counts a good answer. */
  succeed(): void {
    this.#failures = 0
  }

  /** Counts a failure of its own, and gives how many there have been in a row. */
  fail(): number {
    // What was sent before the ejection may fail after it.
    if (!this.#ejected) this.#failures++
    return this.#failures
  }

  /** Takes it out for `ms` times the number of its ejections; each `ms` in use since then takes one of them back. */
  eject(now: number, ms: number): void {
    const forgiven = Math.floor((now - this.#returnsAt) / ms)
    this.#ejections = Math.min(Math.max(0, this.#ejections - forgiven) + 1, longest)
    this.#returnsAt = now + ms * this.#ejections
    this.#ejected = true
    this.#failures = 0
  }

  /** Ends an ejection whose time is over, and tells whether it has. */
  review(now: number): boolean {
    if (now < this.returnsAt) return false
    this.#ejected = false
    return true
  }

  /** Takes what active checks have found. */
  judge(healthy: boolean): void {
    // One that was out begins anew: a failure of before says nothing of it now.
    if (healthy && !this.#healthy) this.#failures = 0
    this.#healthy = healthy
  }
}

/** One of a set of endpoints that are judged together. */
export interface Judged {
  readonly standing: Standing
}

/**
 * Counts a failure of one of the endpoints, and ejects it if it has failed too often in a row and may go: at most half
 * of them are out, for whatever reason, so that one always stays and no ejection makes a panic. Tells whether it has.
 */
export function blame(all: readonly Judged[], one: Judged, now: number, ejection: Ejection): boolean {
  if (one.standing.fail() < ejection.failures) return false
  const out = all.filter((other) => other !== one && !other.standing.usable).length + 1
  if (2 * out > all.length) return false
  one.standing.eject(now, ejection.for)
  return true
}

/**
 * Gives the endpoints that are to be used: the usable ones, but all of them in a panic, when fewer than half are
 * usable. Then it is more likely that the checks or the calls are at fault, and the few would go down under the load
 * of all (compare Envoy's panic threshold, 50 %).
 */
export function inUse<T extends Judged>(all: readonly T[]): readonly T[] {
  const usable = all.filter(({ standing }) => standing.usable)
  return 2 * usable.length < all.length ? all : usable
}
