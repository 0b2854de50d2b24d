import type { Call, Outcome } from '../call/call.ts'
import { type Failure, failure } from '../call/failure.ts'
import type { Scope } from '../call/scope.ts'
import { sameCall } from './bind.ts'
import { type Missing, missingOf, worst } from './missing.ts'
import { type Part, type Reading, answered, listed, without } from './part.ts'
import type { Each, Input, Plan, State, Step } from './plan.ts'

/** When a step began and ended, in ms of `performance.now()`; NaN for one that never began. */
export interface Span {
  began: number
  ended: number
}

/** What became of a plan: every part, or the failure that decided the request. */
export interface Ended {
  readonly state: State
  readonly spans: readonly Span[]
  /** Decides the request: a required step's failure, or the worst cause when nothing at all was answered. */
  readonly failed: Missing | null
}

/**
 * Runs a plan: starts each step as soon as the replies it needs are in, and settles when all are, or as soon as a
 * required one has failed; then whatever is still under way is cancelled. Never rejects.
 */
export function run(plan: Plan, input: Input, scope: Scope): Promise<Ended> {
  return new Promise((resolve) => new Run(plan, input, scope, resolve).start())
}

/** A call that was made, and those made before to the same path. */
interface Made {
  readonly call: Call
  readonly sharing: number
  readonly outcome: PromiseLike<Outcome>
  readonly before: Made | undefined
}

class Run implements State {
  readonly input: Input
  readonly parts: (Part | undefined)[]
  readonly item = undefined
  readonly index = 0
  readonly #plan: Plan
  readonly #scope: Scope
  readonly #resolve: (ended: Ended) => void
  readonly #spans: Span[]
  /** For each step, how many of those it needs are not in yet. */
  readonly #awaits: number[]
  /** Calls that were made and that another step may want to make too, by path. */
  #made: Map<string, Made> | null = null
  #left: number
  #done = false

  constructor(plan: Plan, input: Input, scope: Scope, resolve: (ended: Ended) => void) {
    this.#plan = plan
    this.input = input
    this.#scope = scope
    this.#resolve = resolve
    this.parts = plan.steps.map(() => undefined)
    this.#spans = plan.steps.map(() => ({ began: NaN, ended: NaN }))
    this.#awaits = plan.steps.map((step) => step.needs.length)
    this.#left = plan.steps.length
  }

  start(): void {
    const now = performance.now()
    this.#plan.steps.forEach((step, place) => {
      if (step.needs.length === 0) this.#begin(step, place, now)
    })
  }

  #begin(step: Step, place: number, now: number): void {
    if (this.#done) return
    const span = this.#spans[place] as Span
    span.began = now
    if (this.#scope.ended !== null) return this.#settle(place, this.#without(step, failure(this.#scope.ended)))
    const { work } = this.input
    work.on(step.accounts.bind)
    if (!step.runs(this)) return this.#settle(place, this.#without(step, null))
    if (step.each !== null) {
      void this.#callEach(step, step.each).then((part) => this.#resume(step, place, part))
      return
    }
    const call = bound(step, this)
    if ('ok' in call) return this.#settle(place, this.#without(step, call))
    void this.#call(step, call).then((outcome) => {
      this.#resume(step, place, outcome.ok ? answered(outcome, this.#reading(step)) : this.#without(step, outcome))
    })
  }

  /** Goes on with a step whose outcome is in: on its account, for it may be that others begin or all is over. */
  #resume(step: Step, place: number, part: Part): void {
    const { work } = this.input
    const before = work.on(step.accounts.receive)
    this.#settle(place, part)
    work.on(before)
  }

  #reading({ decode, accounts }: Step): Reading {
    return { decode, work: this.input.work, account: accounts.parse }
  }

  #without(step: Step, why: Failure | null): Part {
    return without(why, step.fallback)
  }

  #call(step: Step, call: Call): PromiseLike<Outcome> {
    // What cannot be sent any more is no call: nobody should count it as one.
    if (this.#scope.ended !== null) return Promise.resolve(failure(this.#scope.ended))
    this.input.work.on(step.accounts.send)
    if (step.sharing === null) return step.upstream(call, this.#scope)
    this.#made ??= new Map()
    let made = this.#made.get(call.path)
    // The paths are mostly different; where one is the same and the rest is not, all there were so far are kept.
    for (; made !== undefined; made = made.before) {
      if (made.sharing === step.sharing && sameCall(made.call, call)) return made.outcome
    }
    const outcome = step.upstream(call, this.#scope)
    this.#made.set(call.path, { call, sharing: step.sharing, outcome, before: this.#made.get(call.path) })
    return outcome
  }

  async #callEach(step: Step, each: Each): Promise<Part> {
    const items = each.items(this)
    if (!Array.isArray(items)) return this.#without(step, notAnArray(each))
    if (items.length > each.max) return this.#without(step, tooMany(each, items.length))
    const { work } = this.input
    const outcomes: Outcome[] = []
    const { promise: failed, resolve: fail } = Promise.withResolvers<void>()
    let next = 0
    let stopped = false
    const worker = async (): Promise<void> => {
      while (next < items.length && !stopped && !this.#done) {
        const index = next++
        const before = work.on(step.accounts.bind)
        const call = bound(step, { input: this.input, parts: this.parts, item: items[index], index })
        const making = 'ok' in call ? call : this.#call(step, call)
        work.on(before)
        const outcome = 'ok' in making ? making : await making
        outcomes[index] = outcome
        if (outcome.ok || step.optional) continue
        // One failed item fails a required step at once: the rest would be called, or waited for, in vain.
        stopped = true
        fail()
      }
    }
    await Promise.race([failed, Promise.all(Array.from({ length: Math.min(each.limit, items.length) }, worker))])
    return this.#listed(step, outcomes)
  }

  #listed(step: Step, outcomes: readonly Outcome[]): Part {
    const failures = outcomes.filter((outcome) => !outcome.ok)
    const [first] = failures
    if (first === undefined) return listed(outcomes, this.#reading(step), null)
    const why = { ...first, items: failures.length }
    return step.optional ? listed(outcomes, this.#reading(step), why) : this.#without(step, first)
  }

  #settle(place: number, part: Part): void {
    if (this.#done) return
    const step = this.#plan.steps[place] as Step
    this.parts[place] = part
    const span = this.#spans[place] as Span
    span.ended = performance.now()
    if (part.failure !== null && !part.present && !step.optional) {
      return this.#end({ step: step.name, failure: part.failure })
    }
    if (--this.#left === 0) return this.#end(this.#nothingAnswered())
    for (const other of step.neededBy) {
      const awaits = (this.#awaits[other] as number) - 1
      this.#awaits[other] = awaits
      if (awaits === 0) this.#begin(this.#plan.steps[other] as Step, other, span.ended)
    }
  }

  #nothingAnswered(): Missing | null {
    const parts = this.parts as Part[]
    if (parts.some((part) => part.answered || part.present)) return null
    return worst(missingOf(this.#plan.steps, parts))
  }

  #end(failed: Missing | null): void {
    this.#done = true
    if (failed !== null) this.#scope.close('cancelled')
    this.#resolve({ state: this, spans: this.#spans, failed })
  }
}

/** Makes a step's call. What it throws is a bug, or JSON too deep to be written that a trusted upstream has sent. */
function bound(step: Step, state: State): Call | Failure {
  try {
    return step.bind(state)
  } catch (error) {
    return failure('proxy_internal_error', error instanceof Error ? error.stack : String(error))
  }
}

function notAnArray(each: Each): Failure {
  return { ...failure('bind_missing', `{${each.text}} is not an array`), from: each.from, ref: each.text }
}

function tooMany(each: Each, count: number): Failure {
  const detail = `{${each.text}} has ${count} items, at most ${each.max} are allowed`
  return { ...failure('bind_missing', detail), from: each.from, ref: each.text }
}
