import { readFileSync } from 'node:fs'
import { Wheel } from './call/wheel.ts'
import { Scope } from './call/scope.ts'
import { failures, statusOf } from './call/failure.ts'
import { randomHex, traceOf } from './call/trace.ts'
import { unwatched } from './call/work.ts'
import type { StepsRoute } from './config/route.ts'
import type { Config } from './config/schema.ts'
import { describePlan, describeRoute, describeUpstreams } from './describe.ts'
import { compileAll } from './gateway.ts'
import { type Missing, missingField, missingOf } from './plan/missing.ts'
import type { Plan } from './plan/plan.ts'
import { type Ended, type Span, run } from './plan/run.ts'
import { type Compiled, unreachable } from './routes.ts'
import { seriesOfConfig } from './series.ts'
import type { Param } from './server/app.ts'
import { RequestInput } from './server/input.ts'
import { matches, methodsOf, restOf } from './server/match.ts'
import { normalPath } from './server/path.ts'
import { mergeFailure } from './server/respond.ts'
import { bodyCheck } from './server/schema.ts'
import { Stacks } from './stacks.ts'
import { storeOf } from './store.ts'
import { Instruments } from './telemetry/instruments.ts'
import { Ledger } from './telemetry/ledger.ts'
import { Sparing } from './telemetry/log.ts'
import { Queue } from './telemetry/queue.ts'
import { Keeper } from './telemetry/tracing.ts'
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

/** Says what is wrong with what was asked. */
export class Misuse extends Error {}

/** Tells on stdout what the gateway would do with a request, or with `run` what it does. Gives the exit status. */
export async function explain(config: Config, asked: Asked): Promise<number> {
  const given = givenOf(asked)
  const { rawPath, query } = partsOf(asked.target)
  const path = normalPath(rawPath)
  if (path === null) return fail(`${rawPath} is not a path that is served: 400`)
  const route = config.routes.find(
    (one) => methodsOf(one.match.method).includes(asked.method) && matches(one.match.path, path),
  )
  if (route === undefined) return fail(whyNoRoute(config, path, asked.method))
  print(describeRoute(route))
  if (route.forward !== undefined) {
    print(describeUpstreams(config, [route.forward.upstream]))
    if (asked.run) process.stderr.write('oneloop: --run shows nothing of a forward route: it has no steps\n')
    return 0
  }
  const wheel = new Wheel()
  // What happens to upstreams meanwhile shows in the steps that it happens to.
  const log = new Sparing({ write: () => {} }, () => wheel.now())
  const instruments = new Instruments(seriesOfConfig(config))
  // Nothing is taken from a cache that gateways share, nor left there.
  const store = storeOf({ cache: { ...config.cache, redis: null } }, { wheel, instruments, log })
  const traces = new Keeper(new Queue(0, () => {}))
  const ground = {
    wheel,
    log,
    utilisation: () => 0,
    instruments,
    ledger: new Ledger(instruments, false),
    traces,
    store,
  }
  const stacks = asked.run ? new Stacks(config, ground) : null
  const compiled = await compileAll(config, (name, step) => stacks?.with(name, step) ?? unreachable)
  const ours = compiled.find((one) => one.route === route) as (typeof compiled)[number]
  const { plan } = ours.compiled as Extract<Compiled, { kind: 'steps' }>
  print(describePlan(plan, route))
  if (stacks === null) {
    const called = Object.values(route.steps).map(({ call }) => call.upstream)
    print(describeUpstreams(config, called))
    return 0
  }
  // A wait for a further attempt is nothing that would keep the process running.
  const alive = setInterval(() => {}, 60_000)
  try {
    const input = inputOf(
      given,
      (name) => paramOf(route.match.path, path, name),
      query === '' ? path : `${path}?${query}`,
    )
    return wrongBody(route, input) ?? (await make(plan, route, input, wheel))
  } finally {
    clearInterval(alive)
    await stacks.release()
  }
}

function whyNoRoute(config: Config, path: string, method: string): string {
  const others = config.routes.filter((route) => matches(route.match.path, path)).map((route) => route.match.method)
  return others.length === 0
    ? `no route for ${path}: 404`
    : `${method} is not allowed on ${path}, but ${others.join(', ')}: 405`
}

/** Tells what a gateway would refuse the body for; null when it would not. */
function wrongBody({ schema }: StepsRoute, { body }: RequestInput): number | null {
  const refusal = schema === undefined ? null : bodyCheck(schema.content)(body)
  return refusal && fail(`${refusal.detail}: ${refusal.status}`)
}

/** Makes the calls, as a gateway would, and shows what came of them. */
async function make(plan: Plan, route: StepsRoute, input: RequestInput, wheel: Wheel): Promise<number> {
  const began = performance.now()
  const scope = new Scope(wheel, wheel.now() + plan.budgetMs)
  const ended = await run(plan, input, scope)
  const made = ended.failed === null ? await bodyOf(plan, ended, scope) : ended.failed
  const tookMs = performance.now() - began
  scope.close()
  print('')
  const bars = barsOf(plan, ended, began, tookMs)
  print(waterfall(bars, tookMs, process.stdout.columns ?? 100, process.stdout.isTTY === true))
  print('')
  return 'failure' in made ? tellFailure(made) : tellBody(plan, ended, made.body, route)
}

async function bodyOf(
  { merge }: Plan,
  { state }: Ended,
  scope: Scope,
): Promise<{ body: string | Uint8Array } | Missing> {
  try {
    return { body: await merge(state, scope) }
  } catch (error) {
    return { step: '', failure: mergeFailure(error) }
  }
}

function barsOf(plan: Plan, { state, spans }: Ended, began: number, tookMs: number) {
  return plan.steps.map((step, place) => {
    const { began: from, ended: to } = spans[place] as Span
    // What was still under way when all was decided was cancelled then.
    const until = Number.isNaN(to) ? tookMs : to - began
    const times = Number.isNaN(from) ? null : { from: from - began, to: until }
    return { name: step.name, times, outcome: outcomeOf(state.parts[place]) }
  })
}

function outcomeOf(part: Ended['state']['parts'][number]): string {
  if (part === undefined) return 'cancelled'
  if (part.failure === null) return part.answered ? String(part.status ?? 'ok') : 'skipped'
  const { error, reply, items } = part.failure
  return `${error}${reply ? ` ${reply.status}` : ''}${items === undefined ? '' : ` (${items} items)`}`
}

function tellFailure({ step, failure }: Missing): number {
  const why =
    failure.detail ?? (failure.reply ? `the upstream answered ${failure.reply.status}` : failures[failure.error].says)
  print(`status    ${statusOf(failure)} ${failure.error}${step === '' ? '' : ` (${step})`}: ${why}`)
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

/** What a request has beside its target. Throws a Misuse. */
function givenOf({ header = [], body }: Asked) {
  const text = body?.startsWith('@') ? textOf(body.slice(1)) : body
  return {
    headers: Object.fromEntries(header.map(headerOf)),
    text,
    json: text === undefined ? undefined : jsonOf(text),
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new Misuse(`--body: ${file} cannot be read: ${code === 'ENOENT' ? 'no such file' : code}`)
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Misuse(`--body is not JSON: ${(error as Error).message}`)
  }
}

function headerOf(text: string): [string, string] {
  const at = text.indexOf(':')
  if (at < 1) throw new Misuse(`--header needs "NAME: VALUE", not ${JSON.stringify(text)}`)
  return [text.slice(0, at).trim().toLowerCase(), text.slice(at + 1).trim()]
}

function partsOf(target: string): { rawPath: string; query: string } {
  const at = target.indexOf('?')
  return at === -1 ? { rawPath: target, query: '' } : { rawPath: target.slice(0, at), query: target.slice(at + 1) }
}

function inputOf({ headers, text, json }: ReturnType<typeof givenOf>, param: Param, url: string): RequestInput {
  const bytes = text === undefined ? null : Buffer.from(text)
  return new RequestInput(
    { id: randomHex(16), trace: traceOf(headers, () => false), work: unwatched },
    { url, headers },
    param,
    bytes,
    json,
  )
}

function paramOf(pattern: string, path: string, name: string): string | undefined {
  const segments = pattern.split('/')
  if (name === '*') return restOf(path, segments.length - 1)
  const given = path.split('/')[segments.indexOf(`:${name}`)]
  return given === undefined ? undefined : decodeURIComponent(given)
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

function fail(text: string): number {
  process.stderr.write(`oneloop: ${text}\n`)
  return 1
}
