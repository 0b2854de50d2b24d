/** Between which bounds a limit is learned; it starts at the upper one. */
export interface GradientOptions {
  readonly max: number
  readonly min?: number
}

// Windows of 100–250 ms, and no limit below 4: behaviour.md. A window with many calls closes early, one with few goes
// on: a mean of fewer says nothing.
const shortestMs = 100
const longestMs = 250
const many = 100
const few = 16
const leastLimit = 4

// Latencies are compared as logarithms, so what follows are ratios. All were found with loadtest/simulate.ts.
// A latency this much above the usual, and above what chance may add to it, shows a queue in the upstream. Gradient2
// has 1.5, for want of an experiment that tells a queue from an upstream that has become slower.
const queueing = Math.log(1.2)
const chance = 1.5
// One that is further below than this many standard errors shows that there was one all the time.
const doubt = 2
// A shrink leaves so many of the calls at once: enough less for the latency to show the difference, yet not much lost if
// it was in vain. Gradient2 has 0.5.
const kept = 0.7
// How much fewer calls have to be for an experiment to count.
const fewer = 0.05
// How long a limit at its greatest may go without one: as in BBR (Cardwell et al. 2016), which also has to look below
// the queue that it may itself have made.
const untriedMs = 10_000
// After an experiment that was in vain there may be so much again of what there was.
const givenBack = 0.93
// Growth starts with this share of the limit and quickens: 4 becomes 256 in 4 s, yet the last step is a small one.
const firstStep = 0.05
const quickening = 1.25
const longestStep = 0.25
// How far a window under light load moves what is usual.
const atEase = 0.2

interface Before {
  readonly limit: number
  readonly latency: number
  readonly inFlight: number
}

/**
 * Learns from latencies how many calls at once an upstream bears.
 *
 * As in Gradient2 and Vegas (Netflix concurrency-limits) a latency above the usual one shrinks the limit, window by
 * window. Unlike there the usual is neither a long average, which a lasting queue raises until it passes for usual, nor
 * a minimum, which a slower upstream never reaches again: each shrink is an experiment. If the latency falls with the
 * number of calls, they were waiting for one another (Little's law), and there is more to shrink; if it does not, the
 * upstream itself takes that long. Timeouts and refusals shrink by half of their share, as marks do in DCTCP
 * (Alizadeh et al. 2010), so that a few of them do not undo the growth.
 */
export class Gradient {
  readonly #max: number
  readonly #min: number
  readonly #window = new Window()
  #limit: number
  #step = firstStep
  #changedAt = -Infinity
  #opensAt = -Infinity
  /** The moment of the last experiment, or of the first window. */
  #triedAt = -Infinity
  /** The latency without a queue, as far as is known. */
  #usual = NaN
  /** Whether an experiment has shown the usual latency to be no queue. Until then experiments go all the way down. */
  #sure = false
  /** Whether the last window had a queue: one alone may be chance, or the beginning of a change. */
  #queued = false
  /** What was before the last shrink, while its effect is awaited. */
  #before: Before | null = null

  constructor({ max, min = leastLimit }: GradientOptions) {
    this.#max = max
    this.#min = Math.min(min, max)
    this.#limit = max
  }

  /** How many may be under way at once. */
  get limit(): number {
    return Math.floor(this.#limit)
  }

  /**
   * Learns of a call that took `tookMs` and began with `inFlight` under way, itself among them. An overloaded one has
   * timed out or was answered that there is too much to do.
   */
  sample(now: number, tookMs: number, inFlight: number, overloaded: boolean): void {
    // What began under another limit says nothing of this one: so a lump of timeouts counts once.
    if (now < this.#opensAt || (overloaded && now - tookMs < this.#changedAt)) return
    this.#window.add(now, tookMs, inFlight, overloaded)
    if (!this.#window.isWhole(now)) return
    const before = this.#limit
    if (this.#window.answered * 2 >= few) this.#judge(now)
    this.#limit *= 1 - this.#window.overloadedShare / 2
    this.#limit = Math.max(this.#min, Math.min(this.#max, this.#limit))
    if (this.#limit !== before) {
      this.#changedAt = now
      // A change shows only in calls that began after it.
      this.#opensAt = now + this.#window.meanMs
    }
    this.#window.clear()
  }

  #judge(now: number): void {
    const { latency, error, mostInFlight } = this.#window
    if (Number.isNaN(this.#usual)) {
      this.#usual = latency
      this.#triedAt = now
    }
    if (this.#before !== null) {
      if (this.#conclude(now, this.#before)) return
    } else this.#fall(latency + 2 * error)
    if (mostInFlight < this.#limit / 2) {
      this.#usual += (latency - this.#usual) * atEase
      return
    }
    // Nothing shrinks the least limit, so no experiment can show that its latency is usual.
    if (this.#limit <= this.#min) this.#usual = Math.max(this.#usual, (this.#usual + latency) / 2)
    if (this.#high) {
      if (this.#queued) this.#shrink(now)
      this.#queued = true
      return
    }
    this.#queued = false
    // Where growth ends, what was a queue from the first would pass for usual: so it is tried.
    if (!this.#sure && mostInFlight >= this.#max && now - this.#triedAt >= untriedMs) {
      this.#shrink(now)
      return
    }
    this.#limit *= 1 + this.#step
    this.#step = Math.min(longestStep, this.#step * quickening)
  }

  /** Whether the window shows a queue, and not by chance. */
  get #high(): boolean {
    const { latency, error } = this.#window
    return latency - chance * error > this.#usual + queueing
  }

  /** Learns that the usual is no more than this. What was far more was no experiment's finding of this upstream. */
  #fall(latency: number): void {
    if (latency < this.#usual - queueing) this.#sure = false
    this.#usual = Math.min(this.#usual, latency)
  }

  #shrink(now: number): void {
    this.#triedAt = now
    const { latency, inFlight } = this.#window
    this.#before = { limit: this.#limit, latency, inFlight }
    this.#step = firstStep
    this.#limit = Math.min(this.#limit, inFlight * kept)
  }

  /** Learns from the effect of a shrink; true: there is more to shrink, and it is done. */
  #conclude(now: number, before: Before): boolean {
    const { latency, error, inFlight } = this.#window
    this.#before = null
    const left = Math.log(inFlight / before.inFlight)
    // The limit was not what kept the calls few: nothing is learned.
    if (left > -fewer) return false
    // Halfway between a latency that falls as the calls do and one that stays.
    const waited = latency < before.latency + left / 2
    const high = this.#high
    if (!waited && (high || !this.#sure)) {
      // At the bottom of a descent this is sure. A usual that has risen at one stroke is to be tried again.
      this.#sure = !high || !this.#sure
      this.#usual = latency
      this.#limit = Math.max(this.#limit, before.limit * givenBack)
      return false
    }
    if (this.#sure && !high) {
      // Back at the usual, as expected; unless it is so far below that the usual was a queue itself.
      if (latency + doubt * error >= this.#usual) return false
      this.#sure = false
    }
    this.#shrink(now)
    return true
  }
}

/** What was seen of some calls, as sums: adding one allocates nothing. */
class Window {
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
