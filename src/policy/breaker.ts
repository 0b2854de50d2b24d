import { Ring, buckets } from './ring.ts'

/** What opens a breaker, and for how long. Shares are fractions. */
export interface BreakerOptions {
  /** The share of bad calls that opens it. */
  readonly failures: number
  /** The fewest calls that can. */
  readonly of: number
  /** The time in ms over which calls are counted. */
  readonly within: number
  /** How long it is open at first, in ms; and how long the return to all calls takes after it has closed. */
  readonly open: number
  /** Opens it for calls that take longer than `over` ms as well, by their share. */
  readonly slow?: { readonly over: number; readonly share: number } | undefined
}

/** How a call was let through; it is handed back when the call ends. */
export type Pass = 'counted' | 'probe'

// behaviour.md: three probes; as many at once, so that an upstream that is still down is not asked by more.
const probes = 3
// behaviour.md: doubling to 60 s.
const longestMs = 60_000
// What opens in many gateways at once must not send them all to the upstream at once again.
const jitter = 0.2
// What the return begins with: little enough that a cold upstream bears it, enough that its failures are soon seen.
const firstShare = 0.1
// What is told of a moment that nobody knows: the least that Retry-After can say.
const unknownMs = 1_000

/**
 * Refuses the calls of an upstream that is failing (circuit breaker: Nygard, Release It!, 2007). It opens by the share
 * of bad or slow calls, lets a few probes through after a while, and closes when they are good. From then on a rising
 * share of calls is let through, so that no herd falls upon an upstream that has just come back.
 */
export class Breaker {
  readonly #options: BreakerOptions
  readonly #random: () => number
  readonly #window: Window
  #state: 'closed' | 'open' | 'half_open' = 'closed'
  #probing = 0
  /** Of the probes since it is half open: how many were good, and how many of those slow. */
  #good = 0
  #slow = 0
  /** How often it has opened since it last let all calls through. */
  #openings = 0
  #openedAt = 0
  #openUntil = 0
  /** Who entered before that moment did so in an earlier state, and says nothing about this one. */
  #since = -Infinity
  /** When all calls are let through again; Infinity as long as it has not closed. */
  #wholeAt = -Infinity

  /** `random` gives [0, 1). */
  constructor(options: BreakerOptions, random: () => number) {
    this.#options = options
    this.#random = random
    this.#window = new Window(options.within / buckets)
  }

  /** What it was after the last call that came or went. */
  get state(): 'closed' | 'open' | 'half_open' {
    return this.#state
  }

  /** Lets a call through, which is to leave with the pass that it got; null refuses it. */
  enter(now: number): Pass | null {
    if (this.#state === 'closed') return now >= this.#wholeAt || this.#random() < this.#share(now) ? 'counted' : null
    if (this.#state === 'open') {
      if (now < this.#openUntil) return null
      this.#halfOpen(now)
    }
    if (this.#probing === probes) return null
    this.#probing++
    return 'probe'
  }

  /**
   * Takes note of a call that ends, `tookMs` after it entered: by that it is known whether it did so in an earlier
   * state, of which nothing is learned, as of an unknown verdict.
   */
  leave(pass: Pass, now: number, verdict: 'good' | 'bad' | 'unknown', tookMs: number): void {
    // Whichever state a probe entered in: it was at the upstream until now.
    if (pass === 'probe') this.#probing--
    if (verdict === 'unknown' || now - tookMs < this.#since) return
    const { slow } = this.#options
    const isSlow = slow !== undefined && tookMs > slow.over
    if (pass === 'probe') this.#judge(now, verdict, isSlow)
    else if (this.#state === 'closed') this.#count(now, verdict, isSlow)
  }

  /**
   * How long in ms until a call may be let through: 0 when one may now, as one may by chance while it returns. While
   * all probes are under way nobody knows; a second is told then.
   */
  retryInMs(now: number): number {
    if (this.#state === 'open') return Math.max(0, this.#openUntil - now)
    return this.#state === 'half_open' && this.#probing === probes ? unknownMs : 0
  }

  #share(now: number): number {
    return 1 - ((this.#wholeAt - now) / this.#options.open) * (1 - firstShare)
  }

  #count(now: number, verdict: 'good' | 'bad', isSlow: boolean): void {
    this.#window.add(now, verdict === 'bad', isSlow)
    const { calls, bad, slow } = this.#window
    if (calls < this.#options.of) return
    if (bad / calls >= this.#options.failures || this.#isTooSlow(slow / calls)) this.#open(now)
  }

  #judge(now: number, verdict: 'good' | 'bad', isSlow: boolean): void {
    if (this.#state !== 'half_open') return
    if (verdict === 'bad') return this.#open(now)
    this.#good++
    if (isSlow) this.#slow++
    if (this.#good < probes) return
    // Else an upstream that is up but as slow as before would open it again a moment after it has closed.
    if (this.#isTooSlow(this.#slow / probes)) this.#open(now)
    else this.#close(now)
  }

  #isTooSlow(share: number): boolean {
    const { slow } = this.#options
    return slow !== undefined && share >= slow.share
  }

  #open(now: number): void {
    this.#state = 'open'
    this.#openings = now < this.#wholeAt ? this.#openings + 1 : 1
    this.#wholeAt = Infinity
    const { open } = this.#options
    const forMs = Math.max(open, Math.min(longestMs, open * 2 ** (this.#openings - 1)))
    this.#openedAt = now
    this.#openUntil = now + forMs * (1 - jitter + 2 * jitter * this.#random())
    this.#window.clear()
  }

  #halfOpen(now: number): void {
    this.#state = 'half_open'
    this.#good = 0
    this.#slow = 0
    // Nobody has entered since it opened. Halfway, because what is reckoned back from an end is rounded.
    this.#since = (this.#openedAt + now) / 2
  }

  #close(now: number): void {
    this.#state = 'closed'
    this.#wholeAt = now + this.#options.open
  }
}

/** What the calls of the last ten buckets were. */
class Window {
  readonly #ring: Ring
  readonly #calls = new Uint32Array(buckets)
  readonly #bad = new Uint32Array(buckets)
  readonly #slow = new Uint32Array(buckets)
  calls = 0
  bad = 0
  slow = 0

  constructor(bucketMs: number) {
    this.#ring = new Ring(bucketMs, (at) =>
      this.#change(at, -(this.#calls[at] as number), -(this.#bad[at] as number), -(this.#slow[at] as number)),
    )
  }

  add(now: number, isBad: boolean, isSlow: boolean): void {
    this.#change(this.#ring.at(now), 1, isBad ? 1 : 0, isSlow ? 1 : 0)
  }

  clear(): void {
    this.#ring.clear()
  }

  #change(at: number, calls: number, bad: number, slow: number): void {
    this.#calls[at] = (this.#calls[at] as number) + calls
    this.#bad[at] = (this.#bad[at] as number) + bad
    this.#slow[at] = (this.#slow[at] as number) + slow
    this.calls += calls
    this.bad += bad
    this.slow += slow
  }
}
