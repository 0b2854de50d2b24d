import type { Call, Upstream } from '../call/call.ts'
import { type Account, type CallAccounts, noAccounts } from '../call/work.ts'
import { type CallSpec, compileBind } from './bind.ts'
import { type Condition, compileRuns } from './condition.ts'
import { type Keep, type KeepSpec, compileKeep } from './keep.ts'
import { findCycles, longestChain } from './graph.ts'
import { jsonOf } from './out.ts'
import type { Each, Merge, Plan, Step, Template } from './plan.ts'
import { type Names, giverOf, loneRef, reader } from './read.ts'
import { type Ref, TemplateFault } from './reference.ts'
import { respondWith } from './respond.ts'

/** A step as the operator describes it; times in ms. */
export interface StepSpec {
  readonly call: CallSpec
  readonly optional: boolean
  readonly fallback?: Template | undefined
  readonly when?: Condition | undefined
  readonly unless?: Condition | undefined
  readonly each?: string | undefined
  readonly limit: number
  readonly max: number
  readonly timeout?: number | undefined
  readonly retry?: { readonly more: number; readonly budget?: number } | undefined
  readonly hedge?: { readonly after: number | string } | null | undefined
  /** How long replies are kept; null: not at all. */
  readonly cache?: CacheSpec | null | undefined
  /** Keeps its replies apart from those that other steps ask for in other ways. */
  readonly word?: string | undefined
  /** Statuses that count as a reply. */
  readonly accept: readonly number[]
  readonly decode: 'json' | 'text'
}

/** How long replies are kept, in ms, and what keeps them apart. */
export interface CacheSpec extends KeepSpec {
  readonly ttl: number | 'http'
  readonly stale?: number | undefined
  readonly onError?: number | undefined
  readonly heuristic?: number | undefined
}

/** A route with steps as the operator describes it. */
export interface RouteSpec {
  readonly name: string
  readonly budget: number
  readonly steps: Readonly<Record<string, StepSpec>>
  readonly response?: Template | undefined
  readonly status?: number | undefined
}

/** Where the loop's time is charged that is spent for a route. */
export interface Accounts {
  readonly merge: Account
  readonly transform: Account
  callsTo(upstream: string): CallAccounts
}

/** What a plan is made with: everything it does not know itself is given. */
export interface Given {
  /** The function that makes calls to an upstream on a step's terms, or undefined when there is no such upstream. */
  upstream(name: string, step: StepSpec): Upstream | undefined
  /** The time one attempt may take when the step does not say. */
  timeoutMs(upstream: string): number
  readonly upstreams: readonly string[]
  /** All step names that were written, also of steps whose description is faulty. */
  readonly declared: readonly string[]
  /** The parameters of the route's path. */
  readonly params: readonly string[]
  suggest(word: string, among: readonly string[]): string
  /** Makes the response in place of a template. */
  readonly transform?: Merge | undefined
  /** The accounts of the route; without them nobody keeps account. */
  readonly accounts?: Accounts | undefined
}

/** Something to say about a route: where in it, and what. */
export interface Remark {
  readonly path: readonly (string | number)[]
  readonly message: string
  readonly severity: 'fault' | 'warning'
}

/** Compiles a route to a plan, null when it has faults, and says all that is to be said about it. */
export function compile(route: RouteSpec, given: Given): { plan: Plan | null; remarks: Remark[] } {
  const compiler = new Compiler(route, given)
  const plan = compiler.compile()
  return {
    plan: compiler.remarks.some(({ severity }) => severity === 'fault') ? null : plan,
    remarks: compiler.remarks,
  }
}

type Draft = { -readonly [K in keyof Step]: Step[K] }

class Compiler {
  readonly remarks: Remark[] = []
  readonly #route: RouteSpec
  readonly #given: Given
  readonly #entries: readonly (readonly [string, StepSpec])[]
  readonly #places: ReadonlyMap<string, number>
  /** For each step, which it reads from. */
  readonly #needs: Set<number>[]
  readonly #warned = new Set<string>()

  constructor(route: RouteSpec, given: Given) {
    this.#route = route
    this.#given = given
    this.#entries = Object.entries(route.steps)
    this.#places = new Map(this.#entries.map(([name], place) => [name, place]))
    this.#needs = this.#entries.map(() => new Set())
  }

  compile(): Plan | null {
    const sharing = this.#sharings()
    const drafts = this.#entries.map(([name, spec], place) => this.#step(name, spec, place, sharing[place] ?? null))
    const merge =
      this.#given.transform ?? this.#at(['response'], () => respondWith(this.#response(), this.#names(null)))
    const needs = this.#needs.map((set) => [...set])
    for (const cycle of findCycles(needs)) this.#tellCycle(cycle)
    const steps = drafts.filter((draft) => draft !== null)
    if (steps.length < drafts.length || merge === null) return null
    steps.forEach((step, place) => {
      step.needs = needs[place] as number[]
      step.neededBy = needs.flatMap((others, other) => (others.includes(place) ? [other] : []))
    })
    this.#warnOfBudget(steps)
    const { budget: budgetMs, status = 200 } = this.#route
    const { transform, accounts = nobodys } = this.#given
    const mergeAccount = transform === undefined ? accounts.merge : accounts.transform
    return {
      steps,
      merge,
      mergeAccount,
      status,
      budgetMs,
      readsBody: this.#readsBody,
      varies: [...this.#varies].sort(),
    }
  }

  #readsBody = false
  readonly #varies = new Set<string>()

  #step(name: string, spec: StepSpec, place: number, sharing: number | null): Draft | null {
    const { call } = spec
    const upstream = this.#given.upstream(call.upstream, spec)
    if (upstream === undefined) {
      const near = this.#given.suggest(call.upstream, this.#given.upstreams)
      this.#tell(['steps', name, 'call', 'upstream'], `no upstream "${call.upstream}"${near}`)
    }
    const names = this.#names(place)
    const each = spec.each === undefined ? null : this.#at(['steps', name, 'each'], () => this.#each(spec, names))
    const within = { ...names, item: spec.each === undefined ? null : (each?.from ?? 'reply') }
    const kept = this.#at(['steps', name, 'cache'], () => ({ keep: keepOf(spec, within) }))
    const accounts = (this.#given.accounts ?? nobodys).callsTo(call.upstream)
    const terms = {
      accept: accepting(spec.accept),
      decode: spec.decode,
      step: name,
      accounts,
      keep: kept?.keep ?? null,
    }
    const bind = this.#at(['steps', name, 'call'], () => compileBind(call, within, terms))
    // A condition holds or does not hold also where a reply is missing: there is nothing to warn of.
    const tests = this.#names(place, false)
    const when = this.#at(['steps', name, 'when'], () => compileRuns(spec.when, undefined, tests))
    const unless = this.#at(['steps', name, 'unless'], () => compileRuns(undefined, spec.unless, tests))
    if (upstream === undefined || bind === null || kept === null || when === null || unless === null) return null
    return {
      name,
      upstream,
      upstreamName: call.upstream,
      accounts,
      bind,
      each,
      needs: [],
      neededBy: [],
      runs: (state) => when(state) && unless(state),
      optional: spec.optional,
      fallback: spec.fallback === undefined ? null : jsonOf(spec.fallback),
      decode: spec.decode,
      sharing,
      timeoutMs: spec.timeout ?? this.#given.timeoutMs(call.upstream),
    }
  }

  #each(spec: StepSpec, names: Names): Each {
    const ref = loneRef(spec.each as string)
    const { limit, max } = spec
    return {
      items: reader(ref, names, true),
      limit,
      max,
      text: ref.text,
      from: giverOf(ref, names),
    }
  }

  /** Steps can share a call if they agree in all but the call itself, and only if making it is safe. */
  #sharings(): (number | null)[] {
    const keyOf = (spec: StepSpec): string | null => {
      const { call, timeout, retry, hedge, accept, decode } = spec
      if (!['GET', 'HEAD', 'OPTIONS'].includes(call.method) || call.body !== undefined) return null
      return JSON.stringify([call.upstream, call.method, timeout, retry, hedge, accept, decode])
    }
    const keys = this.#entries.map(([, step]) => keyOf(step))
    const targets = this.#entries.map(([, { call }]) => JSON.stringify([call.path, call.query, call.headers]))
    return keys.map((key, place) => {
      if (key === null) return null
      const alike = keys.flatMap((other, i) => (other === key ? [targets[i] as string] : []))
      // Targets that all stand as they are written, and are written differently, are known to be different calls.
      const different = new Set(alike).size === alike.length && !alike.some((target) => target.includes('{'))
      const alone = alike.length === 1 && this.#entries[place]?.[1].each === undefined
      return alone || different ? null : keys.indexOf(key)
    })
  }

  #response(): Template {
    return this.#route.response ?? new Map(this.#entries.map(([name]) => [name, `{${name}}`]))
  }

  /** The names that a template may use, noting for the step at `place` what it reads from, and warning of it. */
  #names(place: number | null, warns = true): Names {
    return {
      steps: this.#given.declared,
      params: this.#given.params,
      item: null,
      suggest: (word, among) => this.#given.suggest(word, among),
      step: (ref) => {
        if (ref.root === 'body') this.#readsBody = true
        if (ref.root === 'headers' && ref.path[0] !== undefined) this.#varies.add(ref.path[0].toLowerCase())
        if (ref.root === 'cookies') this.#varies.add('cookie')
        const other = this.#places.get(ref.root)
        if (place !== null && other !== undefined) {
          this.#needs[place]?.add(other)
          if (warns) this.#warnOfOptional(place, other, ref)
        }
        // A step whose own description is faulty is still a step: one fault should not look like two.
        return other ?? (this.#given.declared.includes(ref.root) ? -1 : undefined)
      },
    }
  }

  #warnOfOptional(place: number, other: number, ref: Ref): void {
    const [name, step] = this.#entries[place] as [string, StepSpec]
    const [source, read] = this.#entries[other] as [string, StepSpec]
    const safe = ref.fallback !== null || ref.optional || read.fallback !== undefined
    const once = `${name} ${source}`
    if (step.optional || !read.optional || safe || this.#warned.has(once)) return
    this.#warned.add(once)
    const message = `step "${name}" is required but reads from "${source}", which is optional: give a default, {${ref.text}|…}`
    this.#tell(['steps', name], message, 'warning')
  }

  #tellCycle(cycle: readonly number[]): void {
    const names = cycle.map((place) => this.#entries[place]?.[0] ?? '')
    const [first = ''] = names
    const way =
      names.length === 1 ? `step "${first}" needs itself` : `steps need each other: ${[...names, first].join(' → ')}`
    this.#tell(['steps', first], way)
  }

  #warnOfBudget(steps: readonly Step[]): void {
    const chainMs = longestChain(steps.map((step) => ({ needs: step.needs, cost: step.optional ? 0 : step.timeoutMs })))
    const { budget } = this.#route
    if (chainMs.cost <= budget) return
    const way = chainMs.way.map((place) => steps[place]?.name).join(' → ')
    this.#tell(
      ['budget'],
      `the budget of ${budget} ms is less than its steps may take: ${way}, ${chainMs.cost} ms`,
      'warning',
    )
  }

  #at<T>(path: readonly (string | number)[], make: () => T): T | null {
    try {
      return make()
    } catch (error) {
      if (!(error instanceof TemplateFault)) throw error
      for (const fault of error.faults) this.#tell([...path, ...fault.path], fault.message)
      return null
    }
  }

  #tell(path: readonly (string | number)[], message: string, severity: Remark['severity'] = 'fault'): void {
    this.remarks.push({ path, message, severity })
  }
}

const nobodys: Accounts = { ...noAccounts, callsTo: () => noAccounts }

/** Only what asks for something can be kept: a cache on anything else would do nothing. */
function keepOf({ cache, call: { method } }: StepSpec, names: Names): Keep | null {
  if (cache === undefined || cache === null) return null
  if (method === 'GET' || method === 'HEAD') return compileKeep(cache, names)
  throw new TemplateFault(`only replies to GET and HEAD can be kept, not to ${method}`)
}

function accepting(accept: StepSpec['accept']): Call['accept'] {
  const statuses = new Set(accept)
  return (status) => statuses.has(status)
}
