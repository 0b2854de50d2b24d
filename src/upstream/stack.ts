import type { Layer, Upstream } from '../call/call.ts'
import type { Wheel } from '../call/wheel.ts'
import { Limiter } from '../policy/limiter.ts'
import type { CallMeter } from '../telemetry/meters.ts'
import { Load } from '../policy/balance.ts'
import { balance } from './balance.ts'
import { limit } from './limit.ts'
import { measure } from './measure.ts'
import { pool } from './pool.ts'
import { redirect } from './redirect.ts'
import { timeout } from './timeout.ts'

/** Where an upstream listens: its origin, and the path below which it lives. */
export interface Endpoint {
  readonly origin: string
  readonly path: string
}

/** What the operator says of an upstream, in ms, bytes and counts. */
export interface UpstreamOptions {
  readonly endpoints: readonly Endpoint[]
  readonly timeout: number
  readonly connect: number
  readonly connections: number
  readonly limit: { readonly max: number; readonly queue: number; readonly wait?: number | undefined }
  readonly maxBody: number
  readonly maxHeaders: number
  readonly redirects: number
  readonly trusted: boolean
}

/** What a step may say otherwise than its upstream. */
export interface Overrides {
  readonly timeout?: number | undefined
}

/** An upstream with all its layers, as a function of what a step overrides; all such share wires and permits. */
export interface Stack {
  with(overrides: Overrides): Upstream
  /** Ends all connections. */
  readonly destroy: () => Promise<void>
}

/** Makes an upstream from its options. The order of the layers is this file's one purpose. */
export function stack(options: UpstreamOptions, wheel: Wheel, meter: CallMeter): Stack {
  const now = (): number => wheel.now()
  const { max, queue, wait } = options.limit
  const permits = limit(new Limiter({ max, queue, waitMs: wait }), wheel)
  const loads = options.endpoints.map(() => new Load())
  const wires = options.endpoints.map((endpoint) => wire(endpoint, options, wheel, meter))

  // With one endpoint there is nothing to choose.
  const balanced = (endpoints: readonly Upstream[]): Upstream =>
    endpoints.length === 1 ? (endpoints[0] as Upstream) : balance(loads, endpoints, now, Math.random)

  // Outermost first. A layer that the options switch off is not in the list.
  return {
    with: ({ timeout: ms = options.timeout }) =>
      layered(
        // Outermost: a share, a refusal and a reply are all one call.
        measure(meter),
        // Above timeout: waiting for a permit must not eat the attempt's time; its queue is bounded.
        permits,
        // What is above speaks of the upstream, what is below of one endpoint.
        balanced(
          wires.map(({ upstream }) =>
            layered(
              // Next to the wire: what it ends is the socket's work.
              timeout(ms),
              upstream,
            ),
          ),
        ),
      ),
    destroy: async () => {
      await Promise.all(wires.map((one) => one.destroy()))
    },
  }
}

function wire({ origin, path: base }: Endpoint, options: UpstreamOptions, wheel: Wheel, meter: CallMeter) {
  const { upstream, destroy } = pool(wheel, {
    origin,
    connections: options.connections,
    connectMs: options.connect,
    maxBodyBytes: options.maxBody,
    maxHeaderBytes: options.maxHeaders,
    trusted: options.trusted,
    onBroken: () => meter.broken(),
  })
  const layers = [
    // Outside redirect: a redirect names the whole path, which may lie outside the base.
    ...(base === '' ? [] : [below(base)]),
    // Within the attempt's timeout: hops are one attempt's work.
    ...(options.redirects === 0 ? [] : [redirect(origin, options.redirects)]),
  ]
  return { upstream: layered(...layers, upstream), destroy }
}

function below(base: string): Layer {
  return (next) => (call, scope) => next({ ...call, path: base + call.path }, scope)
}

function layered(...parts: [...Layer[], Upstream]): Upstream {
  const layers = parts.slice(0, -1) as Layer[]
  return layers.reduceRight((next, layer) => layer(next), parts.at(-1) as Upstream)
}
