import { performance } from 'node:perf_hooks'
import type { Account, AttemptTimes, Work } from '../call/work.ts'
import { arrivalsOf } from './accounts.ts'
import { type Instruments, current } from './instruments.ts'
import { Slices } from './slices.ts'

// Nobody takes profiles of what has no slices of its own.
const unwanted = new Slices(new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT))
// What takes less cannot have been a wait for sockets: for that the kernel is entered and left, and a thread woken.
const blinkMs = 0.01
// No socket read and no parser takes as long at a time: what it was is not known, and who came next is not to blame.
const longestGapMs = 5

/**
 * Takes down on whose account the loop works. It is a switch: whoever begins something names its account, and the time
 * since the last switch goes to the account that was on. Time when none was on (socket reads, parsers, the machinery
 * of promises) goes, less what of it the loop was idle, to the account that it led to, and is kept apart there.
 */
export class Ledger {
  /** The account that is on, and whose work that is. */
  account: Account = 0
  owner: Job | null = null
  /** When the last switch was, on the clock of `performance.now()`. */
  since: number
  readonly #on: boolean
  readonly #slices: Slices
  #values: Float64Array
  #arrivals: Int32Array
  readonly #timing = performance.nodeTiming
  /** How long the loop had been idle when that was looked at last. */
  #idle = this.#timing.idleTime
  #before: number
  #turn = 0
  #turnAt: number
  #wokeAt: number | null = null
  #lookedAt: number

  /** With `on` false nothing is taken down. `slices` takes each switch down as well, while somebody wants them. */
  constructor(instruments: Instruments, on: boolean = true, slices: Slices = unwanted) {
    this.#on = on
    this.#slices = slices
    this.#values = instruments.values
    this.#arrivals = arrivalsOf(instruments)
    this.#values[current.origin] = performance.timeOrigin
    this.since = this.#before = this.#turnAt = this.#lookedAt = performance.now()
  }

  /** Has further accounts from here on, those of another config; those that it had stay what they were. */
  extend(instruments: Instruments): void {
    const arrivals = arrivalsOf(instruments)
    this.#arrivals.forEach((arrival, account) => {
      if (arrivals[account] === 0) arrivals[account] = arrival
    })
    this.#arrivals = arrivals
    this.#values = instruments.values
  }

  /** How long the loop had been idle in all, in ms, when that was looked at last: not later than the last wait. */
  get idleMs(): number {
    return this.#idle
  }

  /** Charges the loop's time to this account from here on; 0 says that what comes cannot be named. */
  switch(account: Account, owner: Job | null): void {
    if (!this.#on || (account === this.account && owner === this.owner)) return
    const now = performance.now()
    const took = this.#awake(now)
    if (this.account !== 0) this.#charge(this.account, took, this.owner)
    else if (account !== 0) this.#arrive(account, took, owner)
    this.account = account
    this.owner = owner
    this.#before = this.since
    this.since = now
    this.#values[current.account] = account
    this.#values[current.since] = now
    if (this.#slices.wanted) this.#slices.add(now, account)
  }

  /**
   * Tells how long what arrives just now may have been there before the loop saw it, at most, in ms: it came after the
   * loop had looked the last time, or after it had fallen asleep in looking.
   */
  unseenMs(): number {
    const turn = this.#timing.uvMetricsInfo.loopCount
    if (turn !== this.#turn) {
      this.#lookedAt = this.#wokeAt ?? this.#turnAt
      // Without a sleep it looked at some time after the last work of the turn before.
      this.#turnAt = this.#wokeAt ?? this.#before
      this.#turn = turn
      this.#wokeAt = null
    }
    return this.since - this.#lookedAt
  }

  /** The time since the last switch, less what of it the loop was idle. */
  #awake(now: number): number {
    const took = now - this.since
    if (took < blinkMs) return took
    const idle = this.#timing.idleTime
    const slept = idle - this.#idle
    if (slept === 0) return took
    this.#idle = idle
    const awake = Math.max(0, took - slept)
    this.#wokeAt = now - awake
    return awake
  }

  #arrive(account: Account, took: number, owner: Job | null): void {
    const arrival = this.#arrivals[account] as Account
    // One behind its account is its own: an operator's function that goes on after a wait is known by where it ends.
    if (took < longestGapMs || arrival > account) this.#charge(arrival, took, owner)
  }

  #charge(account: Account, took: number, owner: Job | null): void {
    this.#values[account] = (this.#values[account] as number) + took / 1_000
    if (owner !== null) owner.busyMs += took
  }
}

/** What the loop does for one request, or for nobody in particular. */
export class Job implements Work {
  /** How much of the loop's time it has had. */
  busyMs = 0
  readonly ledger: Ledger
  /** How long the loop had been idle in all when it began. */
  readonly idleBeforeMs: number
  /** The sendings of its calls, once there is one. */
  attempts: AttemptTimes[] | null = null
  retried = false
  hedged = false
  readonly #notes: boolean

  /** What has no end takes note of no attempts. */
  constructor(ledger: Ledger, notes: boolean) {
    this.ledger = ledger
    this.idleBeforeMs = ledger.idleMs
    this.#notes = notes
  }

  on(account: Account): Account {
    const before = this.ledger.account
    this.ledger.switch(account, account === 0 ? null : this)
    return before
  }

  off(): void {
    this.ledger.switch(0, null)
  }

  note(attempt: AttemptTimes): void {
    if (!this.#notes) return
    if (this.attempts === null) this.attempts = [attempt]
    else this.attempts.push(attempt)
    if (attempt.hedge) this.hedged = true
    else if (attempt.resend > 0) this.retried = true
  }
}
