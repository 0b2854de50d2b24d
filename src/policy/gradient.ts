import { Window, few, shortestMs } from './window.ts'

/** Between which bounds a limit is learned; it starts at the upper one. */
export interface GradientOptions {
  readonly max: number
  readonly min?: number
}

// behaviour.md.
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
// Growth starts with this share of the limit and quickens: 4 becomes 256 in 4 s.
const firstStep = 0.05
const quickening = 1.4
const longestStep = 0.25
// Around the limit at which a queue was found last all steps are small, as CUBIC's are (RFC 9438): a longer one would be
// far beyond the edge before the queue shows.
const nearFrom = 0.75
const nearTo = 1.1
// How far a window under light load moves what is usual.
const atEase = 0.2

interface Before {
  readonly limit: number
  readonly latency: number
  readonly inFlight: number
  /** Whether this is the second experiment of two. */
  readonly again: boolean
}

/**
 * Learns from latencies how many calls at once an upstream bears.
 *
 * As in Gradient2 and Vegas (Netflix concurrency-limits) a latency above the usual one shrinks the limit, window by
 * window. Unlike there the usual is neither a long average, which a lasting queue raises until it passes for usual, nor
 * a minimum, which a slower upstream never reaches again: each shrink is an experiment. If the latency falls with the
 * number of calls, they were waiting for one another (Little's law), and there is more to shrink; if it does not, the
 * upstream itself takes that long, which a second experiment has to confirm. Timeouts and refusals shrink by half of
 * their share, as marks do in DCTCP (Alizadeh et al. 2010), so that a few of them do not undo the growth.
 */
export class Gradient {
  readonly #max: number
  readonly #min: number
  readonly #window = new Window()
  #limit: number
  #step = firstStep
  /** The limit at which a queue was found last. */
  #edge = 0
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

  /**
   * Lets the limit grow while what calls take is our own doing: fewer of them would be quicker then, and it would shrink
   * to nothing. What is known of the upstream stays known. The call began with `inFlight` under way.
   */
  excuse(now: number, inFlight: number): void {
    if (now < this.#opensAt || inFlight < this.#limit / 2) return
    this.#before = null
    this.#queued = false
    this.#window.clear()
    this.#grow()
    this.#limit = Math.min(this.#max, this.#limit)
    this.#changedAt = now
    this.#opensAt = now + shortestMs
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
    // Measured anew below the edge, as BBR does: the least of many windows is less than usual, and most would seem queued.
    if (this.#sure && this.#limit < this.#edge * nearFrom) this.#usual += (latency - this.#usual) * atEase
    // Where growth ends, what was a queue from the first would pass for usual: so it is tried.
    if (!this.#sure && mostInFlight >= this.#max && now - this.#triedAt >= untriedMs) {
      this.#shrink(now)
      return
    }
    this.#grow()
  }

  #grow(): void {
    this.#limit *= 1 + this.#step
    const near = this.#limit > this.#edge * nearFrom && this.#limit < this.#edge * nearTo
    this.#step = near ? firstStep : Math.min(longestStep, this.#step * quickening)
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
    this.#edge = this.#limit
    const { latency, inFlight } = this.#window
    this.#before = { limit: this.#limit, latency, inFlight, again: false }
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
      if (!before.again) return this.#repeat(now, before)
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

  /** Makes the experiment again, with fewer calls still: that a long latency is the usual one must not be chance. */
  #repeat(now: number, before: Before): true {
    const { latency, error, inFlight } = this.#window
    this.#shrink(now)
    this.#edge = before.limit
    // What has risen was changing meanwhile: that is no level to compare with.
    const rose = latency - doubt * error > before.latency
    this.#before = { ...(rose ? { latency, inFlight } : before), limit: before.limit, again: true }
    return true
  }
}
