import { setImmediate } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import type { Store } from './cache/store.ts'
import type { Upstream } from './call/call.ts'
import type { Wheel } from './call/wheel.ts'
import type { Route, StepsRoute } from './config/route.ts'
import type { Config } from './config/schema.ts'
import type { Accounts } from './plan/compile.ts'
import type { Merge, Transform } from './plan/plan.ts'
import { transformWith } from './plan/respond.ts'
import { type Compiled, compileRoute } from './routes.ts'
import { countedRoute } from './series.ts'
import { type Served, app } from './server/app.ts'
import { Crowd } from './server/crowd.ts'
import { forwardedBy } from './server/forwarded.ts'
import { paramsOf } from './server/match.ts'
import { type Refused, refusedBy } from './server/refused.ts'
import { serveForward, serveSteps } from './server/serve.ts'
import { Stacks } from './stacks.ts'
import { callAccounts, routeAccounts } from './telemetry/accounts.ts'
import type { Instruments } from './telemetry/instruments.ts'
import { Job, type Ledger } from './telemetry/ledger.ts'
import type { Sparing } from './telemetry/log.ts'
import { refusalMeter, requestMeter } from './telemetry/meters.ts'
import { type Keeper, Tracing } from './telemetry/tracing.ts'
import type { Overrides } from './upstream/stack.ts'

/** The data plane: an app that serves all routes, and an end to all that it holds open. */
export interface Gateway {
  readonly fetch: ReturnType<typeof app>['fetch']
  /** Is to be told of requests that do not get as far as the app. */
  readonly refused: Refused
  readonly stacks: Stacks
  /** Waits until the requests that it serves are over, and lets go of its upstreams. It must get no more. */
  retire(): Promise<void>
  /** Lets go of its upstreams at once. */
  destroy(): Promise<void>
}

/** What a data plane stands on. */
export interface Ground {
  readonly wheel: Wheel
  readonly instruments: Instruments
  readonly log: Sparing
  readonly ledger: Ledger
  /** Takes the requests that are kept. */
  readonly traces: Keeper
  /** The share of time that the loop is busy, from 0 to 1. */
  readonly utilisation: () => number
  /** Where replies are kept; whoever made it destroys it. */
  readonly store: Store
}

/** One thing that hinders a config that is sound in itself from being put to use, and where in it. */
export interface Hindrance {
  readonly path: readonly (string | number)[]
  readonly message: string
}

/** Says all that hinders a config that is sound in itself from being put to use. */
export class BuildFault extends Error {
  readonly hindrances: readonly Hindrance[]
  constructor(...hindrances: readonly Hindrance[]) {
    super(hindrances.map(({ message }) => message).join('; '))
    this.hindrances = hindrances
  }
}

/**
 * Makes the data plane of a config: upstreams become stacks of layers, routes become plans that call them, and an
 * app serves the plans. All of the config is read here; while a request runs nothing looks at it. Upstreams that the
 * gateway `before` has as well are taken over from it.
 */
export async function gateway(config: Config, ground: Ground, before?: Gateway): Promise<Gateway> {
  const stacks = new Stacks(config, ground, before?.stacks)
  try {
    return await over(stacks, config, ground)
  } catch (error) {
    await stacks.release()
    throw error
  }
}

async function over(stacks: Stacks, config: Config, ground: Ground): Promise<Gateway> {
  const forwarded = forwardedBy(config.listen.trustedProxies)
  const crowd = new Crowd()
  const { instruments, ledger, log, wheel } = ground
  const { sample, slow: slowMs } = config.telemetry
  const tracing = new Tracing({ sample, slowMs }, ground.traces, () => wheel.now())
  const { accept } = routeAccounts(instruments, null)
  const refused = refusedBy(refusalMeter(instruments), log, new Job(ledger, false), accept)
  const routes = await compileAll(
    config,
    (name, step) => stacks.with(name, step),
    (route) => accountsOf(instruments, route),
  )

  const served = routes.map(({ route, compiled }): Served => {
    const entrance = {
      ...ground,
      crowd,
      tracing,
      timing: config.telemetry.timing,
      route: route.name,
      budgetMs: route.budget,
      deadline: config.listen.deadline,
      accounts: routeAccounts(instruments, route.name),
      meter: requestMeter(instruments, countedRoute(route)),
    }
    const serve =
      compiled.kind === 'steps'
        ? serveSteps(entrance, compiled, bodyOf(route as StepsRoute))
        : serveForward(entrance, compiled, forwarded, route.limits.body)
    return { ...route.match, serve }
  })

  return {
    fetch: app(served, refused).fetch,
    refused,
    stacks,
    retire: async () => {
      await crowd.empty()
      // What the last of them has cancelled is counted before all is told to be over.
      await setImmediate()
      await stacks.release()
    },
    destroy: () => stacks.release(),
  }
}

/** Compiles all routes of a sound config. Throws a BuildFault when transforms cannot be had, which tells all of them. */
export async function compileAll(
  config: Config,
  upstream: (name: string, step: Overrides) => Upstream | undefined,
  accounts?: (route: string) => Accounts,
): Promise<{ route: Route; compiled: Compiled }[]> {
  const compiling = config.routes.map(async (route, i) => {
    const transform = route.forward === undefined ? await transformOf(route, i) : undefined
    const declared = Object.keys(route.steps ?? {})
    const upstreams = Object.keys(config.upstreams)
    const { compiled, remarks } = compileRoute(route, {
      config,
      upstream,
      upstreams,
      declared,
      transform,
      accounts: accounts?.(route.name),
    })
    if (compiled === null) {
      throw new BuildFault({ path: ['routes', i], message: remarks[0]?.message ?? 'the route has faults' })
    }
    return { route, compiled }
  })
  const failed = (await Promise.allSettled(compiling)).filter((one) => one.status === 'rejected')
  const bug = failed.find(({ reason }) => !(reason instanceof BuildFault))
  if (bug !== undefined) throw bug.reason
  if (failed.length > 0) throw new BuildFault(...failed.flatMap(({ reason }) => (reason as BuildFault).hindrances))
  return Promise.all(compiling)
}

function accountsOf(instruments: Instruments, route: string): Accounts {
  return { ...routeAccounts(instruments, route), callsTo: (upstream) => callAccounts(instruments, route, upstream) }
}

async function transformOf(route: StepsRoute, i: number): Promise<Merge | undefined> {
  if (route.transform === undefined) return undefined
  const { file, name, version } = route.transform
  const path = ['routes', i, 'transform']
  // A module stays loaded for as long as its thread lives: another content is asked for as another module.
  const url = `${pathToFileURL(file).href}?${version}`
  const loaded = (await import(url).catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error)
    throw new BuildFault({ path, message: `${file} cannot be loaded: ${why}` })
  })) as Record<string, unknown>
  const found = loaded[name]
  if (typeof found !== 'function') throw new BuildFault({ path, message: `${file} exports no function "${name}"` })
  return transformWith(found as Transform, Object.keys(route.steps), paramsOf(route.match.path))
}

function bodyOf({ limits, schema, transform }: StepsRoute) {
  return { maxBytes: limits.body, schema: schema?.content, reads: schema !== undefined || transform !== undefined }
}
