import { hash } from 'node:crypto'
import type { Upstream } from './call/call.ts'
import { type Failure, failure } from './call/failure.ts'
import { type CallAccounts, noAccounts } from './call/work.ts'
import type { Config } from './config/schema.ts'
import type { Cache } from './config/repeat.ts'
import type { ForwardRoute, Route, Step, StepsRoute } from './config/route.ts'
import { suggest } from './config/suggest.ts'
import { type Keep, compileKeep } from './plan/keep.ts'
import { compileTarget } from './plan/target.ts'
import { type Accounts, type Given, type Remark, type StepSpec, compile } from './plan/compile.ts'
import { jsonOf } from './plan/out.ts'
import type { Merge, Plan, State } from './plan/plan.ts'
import type { Names } from './plan/read.ts'
import { TemplateFault } from './plan/reference.ts'
import { compileTemplate } from './plan/template.ts'
import type { FieldRules } from './server/fields.ts'
import { paramsOf } from './server/match.ts'

/** A route's upstreams and functions: everything that compiling it does not know itself. */
export interface Parts {
  readonly config: Config
  upstream(name: string, step: Pick<StepSpec, 'timeout' | 'retry' | 'hedge' | 'cache' | 'word'>): Upstream | undefined
  /** All upstream names that were written, also those whose description is faulty. */
  readonly upstreams: readonly string[]
  /** All step names that were written for the route, also those whose description is faulty. */
  readonly declared: readonly string[]
  readonly transform?: Merge | undefined
  readonly accounts?: Accounts | undefined
}

/** A route, compiled. */
export type Compiled =
  | { readonly kind: 'steps'; readonly plan: Plan; readonly rules: FieldRules | null; readonly from: readonly number[] }
  | {
      readonly kind: 'forward'
      readonly upstream: Upstream
      /** The upstream's. */
      readonly name: string
      readonly accounts: CallAccounts
      /** Makes the path and query that a request is sent on with; null sends them as they came. */
      readonly target: ((state: State) => string | Failure) | null
      readonly request: FieldRules
      readonly response: FieldRules
      /** What a cache is told of a call; null where nothing is kept. */
      readonly keep: Keep | null
    }

/** Stands for every upstream of a config that is only looked at: it makes no calls. */
export const unreachable: Upstream = () => Promise.resolve(failure('proxy_internal_error'))

/** Compiles a route; null when it has faults. All there is to say about it is in the remarks. */
export function compileRoute(route: Route, parts: Parts): { compiled: Compiled | null; remarks: Remark[] } {
  const remarks: Remark[] = []
  const teller = new Teller(remarks)
  const compiled = route.forward === undefined ? steps(route, parts, teller) : forward(route, parts, teller)
  return { compiled: remarks.some(({ severity }) => severity === 'fault') ? null : compiled, remarks }
}

class Teller {
  readonly #remarks: Remark[]

  constructor(remarks: Remark[]) {
    this.#remarks = remarks
  }

  tell(...remarks: readonly Remark[]): void {
    this.#remarks.push(...remarks)
  }

  /** Tells a template's fault at `path` and gives null in place of what it would have made. */
  at<T>(path: Remark['path'], make: () => T): T | null {
    try {
      return make()
    } catch (error) {
      if (!(error instanceof TemplateFault)) throw error
      this.tell(
        ...error.faults.map((fault) => ({ ...fault, path: [...path, ...fault.path], severity: 'fault' as const })),
      )
      return null
    }
  }
}

function steps(route: StepsRoute, parts: Parts, teller: Teller): Compiled | null {
  const { config } = parts
  const names = namesOf(route, parts.declared)
  const set = checkedSet(route, clientOnly(names), teller)
  const given: Given = {
    upstream: (name, step) => parts.upstream(name, step),
    timeoutMs: (name) => config.upstreams[name]?.timeout ?? 0,
    upstreams: parts.upstreams,
    declared: parts.declared,
    params: names.params,
    suggest,
    transform: parts.transform,
    accounts: parts.accounts,
  }
  const { plan, remarks } = compile({ ...route, steps: withShared(route, set, config) }, given)
  teller.tell(...remarks)
  const { response } = route.headers
  response.from.forEach((name, i) => {
    const message = `no step "${name}"${suggest(name, parts.declared)}`
    const known = parts.declared.includes(name)
    if (!known) teller.tell({ path: ['headers', 'response', 'from', i], message, severity: 'fault' })
  })
  const from = response.from.map((name) => Object.keys(route.steps).indexOf(name))
  let { readsBody = false } = plan ?? {}
  const step: Names['step'] = (ref) => {
    readsBody ||= ref.root === 'body'
    return names.step(ref)
  }
  const rules = rulesOf(response, { ...names, step }, ['headers', 'response', 'set'], teller)
  const changes = rules.set.length > 0 || rules.remove.size > 0 || from.length > 0
  return plan && { kind: 'steps', plan: { ...plan, readsBody }, rules: changes ? rules : null, from }
}

/** Gives each call what its upstream and the route say of it, where it does not say so itself. */
function withShared(route: StepsRoute, set: Record<string, string>, config: Config): Record<string, StepSpec> {
  const entries = Object.entries(route.steps).map(([name, step]): [string, StepSpec] => {
    const upstream = config.upstreams[step.call.upstream]?.headers ?? {}
    // What stands at an upstream is text, in which a brace is a brace.
    const literal = Object.entries(upstream).map(([field, value]) => [field, value.replace(/[{}]/g, '$&$&')])
    const shared = { ...Object.fromEntries(literal), ...set } as Record<string, string>
    const without = route.headers.request.remove
    for (const field of without) delete shared[field]
    const call = { ...step.call, headers: { ...shared, ...step.call.headers }, without }
    const cache = cacheOf(step, route, config)
    return [name, { ...step, call, cache, word: wordOf(cache, call.headers, without, step.decode) }]
  })
  return Object.fromEntries(entries)
}

function cacheOf({ cache, call }: Step, route: Route, { upstreams }: Config): Cache {
  if (cache !== undefined) return cache
  if (call.method !== 'GET' && call.method !== 'HEAD') return null
  return route.cache === undefined ? (upstreams[call.upstream]?.cache ?? null) : route.cache
}

/** Keeps apart the replies that steps ask for with other fields, or keep on other terms: '' for most. */
function wordOf(cache: Cache, headers: object, without: readonly string[], decode: string): string {
  const terms = cache?.ttl === 'http' ? 'http' : ''
  const plain = Object.keys(headers).length === 0 && without.length === 0 && decode === 'json'
  return plain
    ? terms
    : `${terms}${hash('sha256', JSON.stringify([headers, without, decode]), 'base64url').slice(0, 12)}`
}

/** The route's own fields for calls, less those whose template is faulty, which is told once and not for each step. */
function checkedSet(route: StepsRoute, names: Names, teller: Teller): Record<string, string> {
  const sound = Object.entries(route.headers.request.set).filter(([field, template]) => {
    const path = ['headers', 'request', 'set', field]
    return teller.at(path, () => compileTemplate(template, names)) !== null
  })
  return Object.fromEntries(sound)
}

function forward(route: ForwardRoute, parts: Parts, teller: Teller): Compiled | null {
  const { upstream: name, path } = route.forward
  const cache = route.cache === undefined ? (parts.config.upstreams[name]?.cache ?? null) : route.cache
  const upstream = parts.upstream(name, { cache, word: cache?.ttl === 'http' ? 'http' : '' })
  const accounts = parts.accounts?.callsTo(name) ?? noAccounts
  const message = `no upstream "${name}"${suggest(name, parts.upstreams)}`
  if (upstream === undefined) teller.tell({ path: ['forward'], message, severity: 'fault' })
  const names = withoutBody(namesOf(route, []))
  const target = path === undefined ? null : teller.at(['forward'], () => forwardTarget(path, names))
  const request = rulesOf(route.headers.request, names, ['headers', 'request', 'set'], teller)
  const response = rulesOf(route.headers.response, names, ['headers', 'response', 'set'], teller)
  const keep = cache && teller.at(['cache'], () => compileKeep(cache, names))
  const { from } = route.headers.response
  const noSteps = 'a forward route has no steps to take header fields from'
  if (from.length > 0) teller.tell({ path: ['headers', 'response', 'from'], message: noSteps, severity: 'fault' })
  return upstream === undefined ? null : { kind: 'forward', upstream, name, accounts, target, request, response, keep }
}

/** The client's query goes along unless the target has one of its own. */
function forwardTarget(path: string, names: Names): (state: State) => string | Failure {
  return compileTarget({ path, ...(path.includes('?') ? {} : { query: '{query}' }) }, names)
}

function rulesOf(
  { set, remove }: { readonly set: Readonly<Record<string, string>>; readonly remove: readonly string[] },
  names: Names,
  path: Remark['path'],
  teller: Teller,
): FieldRules {
  const made = Object.entries(set).map(([field, template]) => {
    const node = teller.at([...path, field], () => compileTemplate(template, names))
    return [field, (state: State) => textOf(node?.value(state))] as const
  })
  return { set: made, remove: new Set(remove) }
}

function textOf(value: unknown): string | null {
  if (value === undefined || value === null) return null
  return typeof value === 'string' ? value : jsonOf(value)
}

function namesOf(route: Route, declared: readonly string[]): Names {
  const written = Object.keys(route.steps ?? {})
  return {
    steps: declared,
    params: paramsOf(route.match.path),
    item: null,
    suggest,
    step({ root }) {
      const place = written.indexOf(root)
      return place === -1 ? (declared.includes(root) ? -1 : undefined) : place
    },
  }
}

/** Names for a route that passes the body on without reading it. */
function withoutBody(names: Names): Names {
  const step: Names['step'] = (ref) => {
    if (ref.root === 'body') throw new TemplateFault('a forward route does not read the body, it passes it on')
    return names.step(ref)
  }
  return { ...names, step }
}

/** Names for what is made before any step has run. */
function clientOnly(names: Names): Names {
  return { ...names, step: () => undefined }
}
