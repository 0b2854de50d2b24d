import type { Call, Layer, Outcome, Upstream } from '../call/call.ts'
import { verdictOf } from '../call/failure.ts'
import { isRepeatable } from '../call/repeat.ts'
import type { Scope } from '../call/scope.ts'
import type { Wheel } from '../call/wheel.ts'

/** When a second attempt may race the first. */
export interface HedgeOptions {
  /** How long the first attempt has to be alone, in ms; null: it is not known yet. */
  readonly afterMs: () => number | null
  /** Whether one more attempt is allowed now; it is then counted as made. */
  readonly allowed: () => boolean
  /** Is told how long an attempt took that was answered, or had taken when it lost. */
  readonly took: (ms: number) => void
  /** Is told of each second attempt. */
  readonly onHedge: () => void
}

/**
 * Sends a call that takes unusually long a second time, takes the first good outcome and cancels the other attempt
 * ("The Tail at Scale", Dean and Barroso 2013). Streams, and calls that are not idempotent, are sent once.
 */
export function hedge(wheel: Wheel, options: HedgeOptions): Layer {
  return (next) => {
    const timed: Upstream = async (call, scope) => {
      const began = wheel.now()
      const outcome = await next(call, scope)
      if (outcome.ok) options.took(wheel.now() - began)
      return outcome
    }
    return (call, scope) => {
      if (call.sink !== undefined || !isRepeatable(call, false)) return next(call, scope)
      const afterMs = options.afterMs()
      if (afterMs === null || scope.ended !== null) return timed(call, scope)
      return new Promise((resolve) => new Race(call, scope, timed, options, wheel, resolve).start(afterMs))
    }
  }
}

/** Two attempts at one call, the second of which may never begin. */
class Race {
  readonly #call: Call
  readonly #scope: Scope
  readonly #next: Upstream
  readonly #options: HedgeOptions
  readonly #resolve: (outcome: Outcome) => void
  readonly #wheel: Wheel
  readonly #running: { readonly scope: Scope; readonly began: number }[] = []
  #failed: Outcome | null = null
  #stop: () => void = () => {}

  constructor(
    call: Call,
    scope: Scope,
    next: Upstream,
    options: HedgeOptions,
    wheel: Wheel,
    resolve: (outcome: Outcome) => void,
  ) {
    this.#wheel = wheel
    this.#call = call
    this.#scope = scope
    this.#next = next
    this.#options = options
    this.#resolve = resolve
  }

  start(afterMs: number): void {
    this.#run()
    const wheel = this.#wheel
    const alarm = wheel.set(wheel.now() + afterMs, () => {
      if (this.#scope.ended !== null || this.#running.length === 0 || !this.#options.allowed()) return
      this.#options.onHedge()
      this.#run()
    })
    this.#stop = () => wheel.clear(alarm)
  }

  #run(): void {
    // A scope of its own, so that the loser can be ended alone.
    const own = this.#scope.within(Infinity)
    this.#running.push({ scope: own, began: this.#wheel.now() })
    const call = this.#running.length === 1 ? this.#call : { ...this.#call, hedge: true }
    void this.#next(call, own).then((outcome) => this.#ended(own, outcome))
  }

  #ended(own: Scope, outcome: Outcome): void {
    const at = this.#running.findIndex(({ scope }) => scope === own)
    // The loser, which the end of the race has ended.
    if (at === -1) return
    this.#running.splice(at, 1)
    own.close()
    // While the other is under way, a failure decides nothing; but a 404 is an answer.
    const answered = outcome.ok || (outcome.reply !== undefined && verdictOf(outcome) === 'good')
    if (!answered && this.#running.length > 0) {
      this.#failed = outcome
      return
    }
    this.#stop()
    for (const loser of this.#running.splice(0)) {
      // It would have taken longer still. Left out, the slow ones would be missing in what is known of latencies.
      this.#options.took(this.#wheel.now() - loser.began)
      loser.scope.close()
    }
    this.#resolve(this.#better(outcome))
  }

  /** Of two failures the one that came with a reply says more. */
  #better(outcome: Outcome): Outcome {
    if (outcome.ok || this.#failed === null) return outcome
    return outcome.reply === undefined ? this.#failed : outcome
  }
}
