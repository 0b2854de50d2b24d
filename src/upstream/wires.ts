import type { Call, Layer, Upstream } from '../call/call.ts'
import { failure } from '../call/failure.ts'
import type { Scope } from '../call/scope.ts'
import type { Wheel } from '../call/wheel.ts'
import type { Errand } from '../call/work.ts'
import type { Ledger } from '../telemetry/ledger.ts'
import type { CallMeter } from '../telemetry/meters.ts'
import { Endpoints } from './balance.ts'
import type { TlsOptions } from './connect.ts'
import { deadline } from './deadline.ts'
import { type Checked, startChecks } from './health.ts'
import { type PoolOptions, type Wire, pool } from './pool.ts'
import { redirect } from './redirect.ts'
import { type Address, Resolver } from './resolve.ts'

/** Where an upstream listens: its origin, and the path below which it lives. */
export interface Endpoint {
  readonly origin: string
  readonly path: string
}

/** What an operator says of how an upstream is reached. */
export interface WiresOptions {
  readonly endpoints: readonly Endpoint[]
  readonly timeout: number
  readonly connect: number
  readonly connections: number
  /** How many calls go over a connection ahead of their replies while the loop is busy. */
  readonly pipelining: number
  readonly maxBody: number
  readonly maxHeaders: number
  readonly redirects: number
  readonly trusted: boolean
  /** How often names are resolved anew, in ms. */
  readonly resolve: number
  readonly tls?: TlsOptions | undefined
  readonly http2: boolean
  /** The field that tells an endpoint the time that is left. */
  readonly deadline: string | null
  readonly ejection: { readonly failures: number; readonly for: number } | null
  readonly health?: { readonly path: string; readonly every: number } | undefined
}

/** The way to an upstream: whichever of its endpoints is best. */
export interface Wires {
  readonly upstream: Upstream
  /** How many endpoints there are. */
  readonly count: () => number
  /** Whether calls wait for a connection. */
  readonly crowded: () => boolean
  readonly destroy: () => Promise<void>
}

// Above this calls wait for this loop more than for an upstream.
export const busyLoop = 0.8

interface Ground {
  readonly wheel: Wheel
  /** The share of time that the loop is busy. */
  readonly utilisation: () => number
  readonly meter: CallMeter
  readonly ledger: Ledger
  readonly unasked: Errand
  readonly tell: (message: string, fields: Readonly<Record<string, unknown>>) => void
}

/** Makes the wires to all endpoints of an upstream, and follows their names and their health for as long as it lives. */
export function wires(options: WiresOptions, ground: Ground): Wires {
  const { wheel, meter, tell } = ground
  const made = new Map<string, Made>()
  const endpoints = new Endpoints(
    () => wheel.now(),
    Math.random,
    options.ejection,
    (key, ejected) => {
      meter.out(endpoints.out)
      tell(ejected ? 'endpoint ejected' : 'endpoint back', { endpoint: key })
    },
  )
  const resolver = new Resolver({
    endpoints: options.endpoints,
    everyMs: options.resolve,
    timeoutMs: options.connect,
    wheel,
    random: Math.random,
    onChange(addresses) {
      const byKey = new Map(addresses.map((address) => [address.key, address]))
      for (const key of made.keys()) if (!byKey.has(key)) made.delete(key)
      endpoints.set([...byKey.keys()], (key) => {
        const one = wire(byKey.get(key) as Address, options, ground)
        made.set(key, one)
        return one
      })
      meter.out(endpoints.out)
    },
    onFailure: (name, error, detail) => tell('name not resolved', { name, error, detail }),
  })
  const stopChecks = options.health === undefined ? () => {} : checks(options, options.health, ground, endpoints, made)
  let resolved = false
  void resolver.ready.then(() => (resolved = true))
  const send: Upstream = (call, scope) => {
    if (endpoints.size > 0) return endpoints.upstream(call, scope)
    if (scope.ended !== null) return Promise.resolve({ ...failure(scope.ended), unsent: true, hurried: true })
    return Promise.resolve({ ...failure(resolver.failed ?? 'dns_error', 'no address is known'), unsent: true })
  }
  return {
    upstream(call, scope) {
      if (endpoints.size > 0 || resolved) return send(call, scope)
      // The first address is waited for, within the call's time.
      return known(resolver, scope).then(() => send(call, scope))
    },
    count: () => endpoints.size,
    crowded: () => made.values().some(({ waiting }) => waiting() > 0),
    destroy: async () => {
      stopChecks()
      resolver.stop()
      await endpoints.destroy()
    },
  }
}

/** Settles when the names are resolved, or the scope ends. */
async function known({ ready }: Resolver, scope: Scope): Promise<void> {
  const ended = Promise.withResolvers<void>()
  const watcher = (): void => ended.resolve()
  scope.watch(watcher)
  await Promise.race([ready, ended.promise])
  scope.unwatch(watcher)
}

/** One endpoint: the way to it, with its layers, and another for checks. */
interface Made extends Pick<Wire, 'waiting' | 'destroy'> {
  readonly upstream: Upstream
  /** A connection of its own: behind calls of ours that wait, a check would find our fault and not the endpoint's. */
  readonly check: Upstream | null
}

function wire(address: Address, options: WiresOptions, ground: Ground): Made {
  const { wheel } = ground
  const { upstream, waiting, destroy } = pool(wheel, poolOptions(address, options, ground))
  const checking =
    options.health === undefined
      ? null
      : pool(wheel, { ...poolOptions(address, options, ground), connections: 1, pipelining: 1, onAttempt: () => {} })
  return {
    upstream: layered(wireLayers(address, options), upstream),
    waiting,
    check: checking?.upstream ?? null,
    destroy: async () => {
      await Promise.all([destroy(), checking?.destroy()])
    },
  }
}

function poolOptions(
  { origin, host, port }: Address,
  options: WiresOptions,
  { meter, ledger, unasked, utilisation }: Ground,
): PoolOptions {
  return {
    origin,
    address: { host, port },
    tls: options.tls,
    http2: options.http2,
    connections: options.connections,
    pipelining: options.pipelining,
    hurry: () => utilisation() > busyLoop,
    connectMs: options.connect,
    maxBodyBytes: options.maxBody,
    maxHeaderBytes: options.maxHeaders,
    trusted: options.trusted,
    ledger,
    unasked,
    onBroken: () => meter.broken(),
    onAttempt: (method, status, error, tookMs) => meter.attempt(method, status, error, tookMs),
  }
}

function wireLayers({ origin, path }: Address, options: WiresOptions): Layer[] {
  return [
    // What is left is told as late as can be.
    ...(options.deadline === null ? [] : [deadline(options.deadline)]),
    // Outside redirect: a redirect names the whole path, which may lie outside the base.
    ...(path === '' ? [] : [below(path)]),
    // Within the attempt's timeout: hops are one attempt's work.
    ...(options.redirects === 0 ? [] : [redirect(origin, options.redirects)]),
  ]
}

function below(base: string): Layer {
  return (next) => (call, scope) => next({ ...call, path: base + call.path }, scope)
}

function layered(layers: readonly Layer[], upstream: Upstream): Upstream {
  return layers.reduceRight((next, layer) => layer(next), upstream)
}

const healthy = (status: number): boolean => status < 400

function checks(
  { timeout: timeoutMs }: WiresOptions,
  { path, every: everyMs }: { readonly path: string; readonly every: number },
  { wheel, meter, tell }: Ground,
  endpoints: Endpoints,
  made: ReadonlyMap<string, Made>,
): () => void {
  const headers = ['accept', '*/*', 'user-agent', 'oneloop']
  const call: Call = { method: 'GET', path, headers, body: null, accept: healthy, decode: 'raw' }
  const checked: Checked = {
    list: () => endpoints.list(),
    judge(key, good) {
      const before = endpoints.out
      endpoints.judge(key, good)
      if (endpoints.out === before) return
      meter.out(endpoints.out)
      tell(good ? 'endpoint healthy' : 'endpoint unhealthy', { endpoint: key })
    },
  }
  const check = async (key: string, scope: Scope): Promise<boolean> => {
    const outcome = await made.get(key)?.check?.(call, scope)
    return outcome?.ok === true
  }
  return startChecks({ endpoints: checked, everyMs, timeoutMs, check, wheel, random: Math.random })
}
