import { readFileSync } from 'node:fs'
import { Wheel } from './call/wheel.ts'
import { Scope } from './call/scope.ts'
import { failures, statusOf } from './call/failure.ts'
import { randomHex, traceOf } from './call/trace.ts'
import type { Route, StepsRoute } from './config/route.ts'
import type { Config } from './config/schema.ts'
import { compileAll, stacksOf } from './gateway.ts'
import { longestChain } from './plan/graph.ts'
import { missingField, missingOf } from './plan/missing.ts'
import type { Plan, Step } from './plan/plan.ts'
import { type Ended, run } from './plan/run.ts'
import { type Compiled, unreachable } from './routes.ts'
import { RequestInput } from './server/input.ts'
import { matches, methodsOf } from './server/match.ts'
import { normalPath } from './server/path.ts'
import { Instruments } from './telemetry/instruments.ts'
import { seriesOf } from './telemetry/meters.ts'
import { waterfall } from './waterfall.ts'

/** The request that is to be explained. */
export interface Asked {
  readonly method: string
  readonly target: string
  /** Whether its calls are made. */
  readonly run: boolean
  /** As `name: value`. */
  readonly header?: readonly string[] | undefined
  /** JSON, or `@` and the name of a file. */
  readonly body?: string | undefined
}

/** Tells on stdout what the gateway would do with a request, or with `run` what it does. Gives the exit status. */
export async function explain(config: Config, asked: Asked): Promise<number> {
  const [rawPath = '', query = ''] = asked.target.split('?', 2)
  const path = normalPath(rawPath)
  if (path === null) return fail(`${rawPath} is not a path that is served: 400`)
  const route = config.routes.find((one) => methodsOf(one.match.method).includes(asked.method) && matches(one.match.path, path))
  if (route === undefined) return fail(whyNoRoute(config, path, asked.method))
  print(describeRoute(route))
  if (route.forward !== undefined) return 0
  const wheel = new Wheel()
  const series = seriesOf(config.routes.map(({ name }) => name), Object.keys(config.upstreams))
  const stacks = asked.run ? stacksOf(config, { wheel, instruments: new Instruments(series) }) : null
  const compiled = await compileAll(config, (name, step) => stacks?.get(name)?.with(step) ?? unreachable)
  const { plan } = compiled[config.routes.indexOf(route)]?.compiled as Extract<Compiled, { kind: 'steps' }>
  print(describePlan(plan, route))
  if (stacks === null) return 0
  try {
    return await make(plan, route, inputOf(asked, route.match.path, path, query), wheel)
  } finally {
    await Promise.all([...stacks.values()].map((one) => one.destroy()))
  }
}

function whyNoRoute(config: Config, path: string, method: string): string {
  const others = config.routes.filter((route) => matches(route.match.path, path)).map((route) => route.match.method)
  return others.length === 0 ? `no route for ${path}: 404` : `${method} is not allowed on ${path}, but ${others.join(', ')}: 405`
}

function describeRoute(route: Route): string {
  const lines = [`route     ${route.name}`, `match     ${route.match.method} ${route.match.path}`, `budget    ${ms(route.budget)}`]
  if (Number.isFinite(route.limits.body)) lines.push(`limits    body ${route.limits.body} bytes`)
  if (route.forward !== undefined) {
    lines.push(`forward   ${route.forward.upstream} ${route.forward.path ?? "(the request's own path)"}`)
  }
  if (route.steps !== undefined && route.transform !== undefined) {
    lines.push(`body      made by ${route.transform.name} in ${route.transform.file}`)
  }
  return lines.join('\n')
}

function describePlan({ steps }: Plan, route: StepsRoute): string {
  const depth = (step: Step): number => Math.max(0, ...step.needs.map((place) => 1 + depth(steps[place] as Step)))
  const width = Math.max(...steps.map((step) => step.name.length + 2 * depth(step)))
  const order = steps.map((step, place) => ({ step, place, depth: depth(step) })).sort((a, b) => a.depth - b.depth)
  const rows = order.map(({ step, depth: level }) => {
    const name = `${'  '.repeat(level)}${step.name}`.padEnd(width)
    const notes = notesOf(step, steps, route)
    const { call } = route.steps[step.name] as StepsRoute['steps'][string]
    return `  ${name}  ${call.method} ${call.upstream} ${call.path}${notes}`
  })
  const atOnce = order.filter(({ depth: level }) => level === 0).map(({ step }) => step.name)
  const chain = longestChain(steps.map((step) => ({ needs: step.needs, cost: step.timeoutMs })))
  const way = chain.way.map((place) => steps[place]?.name).join(' → ')
  return [
    'steps',
    ...rows,
    `at once   ${atOnce.join(', ')}`,
    `longest   ${way}: ${ms(chain.cost)} at the worst${chain.cost > route.budget ? `, cut at ${ms(route.budget)}` : ''}`,
  ].join('\n')
}

function notesOf(step: Step, steps: readonly Step[], route: StepsRoute): string {
  const { when, unless } = route.steps[step.name] as StepsRoute['steps'][string]
  const notes = [
    ms(step.timeoutMs),
    step.optional ? 'optional' : 'required',
    ...(step.needs.length > 0 ? [`after ${step.needs.map((place) => steps[place]?.name).join(', ')}`] : []),
    ...(step.each ? [`for each of {${step.each.text}}, ${step.each.limit} at once, at most ${step.each.max}`] : []),
    ...(when === undefined ? [] : [`when ${JSON.stringify(when)}`]),
    ...(unless === undefined ? [] : [`unless ${JSON.stringify(unless)}`]),
    ...(step.fallback === null ? [] : [`else ${step.fallback}`]),
  ]
  return `  (${notes.join('; ')})`
}

/** Makes the calls, as a gateway would, and shows what came of them. */
async function make(plan: Plan, route: StepsRoute, input: RequestInput, wheel: Wheel): Promise<number> {
  const began = performance.now()
  const scope = new Scope(wheel, wheel.now() + plan.budgetMs)
  const ended = await run(plan, input, scope)
  const body = ended.failed === null ? await plan.merge(ended.state, scope) : null
  const tookMs = performance.now() - began
  scope.close()
  print('')
  print(waterfall(barsOf(plan, ended, began), tookMs, process.stdout.columns ?? 100, process.stdout.isTTY === true))
  print('')
  return body === null ? tellFailure(ended) : tellBody(plan, ended, body, route)
}

function barsOf(plan: Plan, { state, spans }: Ended, began: number) {
  return plan.steps.map((step, place) => {
    const span = spans[place]
    const part = state.parts[place]
    const times = span === undefined || Number.isNaN(span.began) ? null : { from: span.began - began, to: span.ended - began }
    return { name: step.name, times, outcome: outcomeOf(part) }
  })
}

function outcomeOf(part: Ended['state']['parts'][number]): string {
  if (part === undefined) return 'cancelled'
  if (part.failure === null) return part.answered ? String(part.status ?? 'ok') : 'skipped'
  const { error, reply, items } = part.failure
  return `${error}${reply ? ` ${reply.status}` : ''}${items === undefined ? '' : ` (${items} items)`}`
}

function tellFailure({ failed }: Ended): number {
  if (failed === null) return 0
  const { step, failure } = failed
  const why = failure.detail ?? (failure.reply ? `the upstream answered ${failure.reply.status}` : failures[failure.error].says)
  print(`status    ${statusOf(failure)} ${failure.error} (${step}): ${why}`)
  return 1
}

function tellBody(plan: Plan, { state }: Ended, body: string | Uint8Array, route: StepsRoute): number {
  const missing = missingOf(plan.steps, state.parts)
  print(`status    ${route.status ?? 200}`)
  if (missing.length > 0) print(`missing   ${missingField(missing)}`)
  const text = Buffer.from(body).toString()
  print(process.stdout.isTTY === true ? JSON.stringify(JSON.parse(text), null, 2) : text)
  return 0
}

function inputOf(asked: Asked, pattern: string, path: string, query: string): RequestInput {
  const headers = Object.fromEntries((asked.header ?? []).map(headerOf))
  const given = asked.body?.startsWith('@') ? readFileSync(asked.body.slice(1), 'utf8') : asked.body
  const json: unknown = given === undefined ? undefined : JSON.parse(given)
  const incoming = { url: query === '' ? path : `${path}?${query}`, headers }
  const trace = traceOf(headers['traceparent'])
  const bytes = given === undefined ? null : Buffer.from(given)
  return new RequestInput({ id: randomHex(16), trace }, incoming, (name) => paramOf(pattern, path, name), bytes, json)
}

function headerOf(text: string): [string, string] {
  const at = text.indexOf(':')
  return [text.slice(0, at).trim().toLowerCase(), text.slice(at + 1).trim()]
}

function paramOf(pattern: string, path: string, name: string): string | undefined {
  const segments = pattern.split('/')
  if (name === '*') return path.split('/').slice(segments.length - 1).join('/')
  const given = path.split('/')[segments.indexOf(`:${name}`)]
  return given === undefined ? undefined : decodeURIComponent(given)
}

function ms(duration: number): string {
  return duration >= 1_000 && duration % 100 === 0 ? `${duration / 1_000} s` : `${duration} ms`
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

function fail(text: string): number {
  process.stderr.write(`oneloop: ${text}\n`)
  return 1
}
