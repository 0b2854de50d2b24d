import type { FailureName } from './failure.ts'
import type { Alarm, Wheel } from './wheel.ts'

/** Is told, once, why the scope that it watched has ended. */
export type Watcher = (why: FailureName) => void

// A step that begins when three quarters of the budget are used up by others, and more than that of its own timeout is
// missing, has not had its chance.
const fair = 0.25

/**
 * The time within which some work may run: it ends at a deadline or when it is closed, and tells its watchers.
 * A scope made within another ends no later than that one. It stands where AbortSignal would, at a tenth of its cost.
 */
export class Scope {
  readonly #wheel: Wheel
  readonly #parent: Scope | null
  readonly #endWithParent: Watcher | null = null
  #deadline: number
  #alarm: Alarm | null = null
  #ended: FailureName | null = null
  readonly #watchers: Watcher[] = []
  /** What the outermost scope with a deadline was given, in ms. */
  #givenMs: number
  readonly #impatient: boolean
  #hurried = false

  /** `impatient`: whoever asked waits for less time than is usual here. */
  constructor(wheel: Wheel, deadline: number, parent: Scope | null = null, impatient = parent?.impatient ?? false) {
    this.#wheel = wheel
    this.#deadline = deadline
    this.#parent = parent
    this.#impatient = impatient
    this.#givenMs = parent === null ? deadline - wheel.now() : parent.#givenMs
    if (parent !== null) {
      if (parent.#ended !== null) this.#ended = parent.#ended
      else parent.#watchers.push((this.#endWithParent = (why) => this.close(why)))
    }
    // A deadline that is the parent's own needs no second alarm.
    if (this.#ended === null && deadline < (parent === null ? Infinity : parent.#deadline)) {
      this.#alarm = wheel.set(deadline, () => this.close('http_response_timeout'))
    }
  }

  /** Why the scope has ended, or null while it is open. */
  get ended(): FailureName | null {
    return this.#ended
  }

  /** How many are watching, scopes within it among them: 0 when nothing is under way. */
  get size(): number {
    return this.#watchers.length
  }

  /** The milliseconds that are left: Infinity without a deadline, never below 0. */
  leftMs(): number {
    return Math.max(0, this.#deadline - this.#wheel.now())
  }

  /** Makes a scope that ends with this one and after `ms` at the latest. Whoever makes it closes it. */
  within(ms: number): Scope {
    const now = this.#wheel.now()
    const cut = this.#deadline < now + ms
    const made = new Scope(this.#wheel, cut ? this.#deadline : now + ms, this)
    if (made.#givenMs === Infinity) made.#givenMs = ms
    // With its own time it has had its chance, however little the scope around it was given.
    made.#hurried = cut && (this.#impatient || this.#deadline - now < Math.min(ms, this.#givenMs) * fair)
    return made
  }

  /** Whether whoever asked waits for less time than is usual here. */
  get impatient(): boolean {
    return this.#impatient
  }

  /** Whether it was cut so short by the scope around it that running out of time says nothing of what is asked. */
  get hurried(): boolean {
    return this.#hurried
  }

  /** Has the watcher told when the scope ends; at once if it has. */
  watch(watcher: Watcher): void {
    if (this.#ended !== null) watcher(this.#ended)
    else this.#watchers.push(watcher)
  }

  /** Takes a watcher off that is no longer concerned. */
  unwatch(watcher: Watcher): void {
    const at = this.#watchers.indexOf(watcher)
    if (at === -1) return
    const last = this.#watchers.pop() as Watcher
    if (at < this.#watchers.length) this.#watchers[at] = last
  }

  /** Settles with true after `ms`, or with false as soon as the scope ends. */
  pause(ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const ended = (): void => {
        this.#wheel.clear(alarm)
        resolve(false)
      }
      const alarm = this.#wheel.set(this.#wheel.now() + ms, () => {
        this.unwatch(ended)
        resolve(true)
      })
      this.watch(ended)
    })
  }

  /** Takes the deadline away from this scope and those around it: the wait for a reply's headers is over. */
  lift(): void {
    this.#deadline = Infinity
    if (this.#alarm !== null) this.#wheel.clear(this.#alarm)
    this.#alarm = null
    this.#parent?.lift()
  }

  /** Ends the scope and all scopes within it; the first reason stands. */
  close(why: FailureName = 'cancelled'): void {
    if (this.#ended !== null) return
    this.#ended = why
    if (this.#alarm !== null) this.#wheel.clear(this.#alarm)
    if (this.#endWithParent !== null) this.#parent?.unwatch(this.#endWithParent)
    // One by one, for a watcher may take off another that is still to be told.
    for (let told = this.#watchers.pop(); told !== undefined; told = this.#watchers.pop()) told(why)
  }
}
