import type { Ask } from '../drive/play.ts'
import type { Phase } from '../drive/schedule.ts'

/** What is sent, how much of it and when, what goes wrong meanwhile, and what must hold. */
export interface Scenario {
  /** One line for whoever chooses. */
  readonly about: string
  readonly gateway: GatewayName
  readonly mix: readonly Ask[]
  /** The rates are shares of what the gateway is first found to bear at most, or requests a second. */
  readonly rates: 'shares' | 'requests'
  readonly phases: readonly Phase[]
  /** What demo upstreams are told to do wrong, and when. */
  readonly events?: readonly Event[]
  /** As k6 has them: a metric, and what it must be. */
  readonly thresholds: Thresholds
  /** Whether each phase is a step of the knee curve. */
  readonly knee?: boolean
}

/** Which gateway is loaded: the demo's, or one of a single route whose calls all go to the same origin. */
export type GatewayName = 'demo' | 'three' | 'five' | 'cached'

/** A fault that a demo upstream begins to have, or all of its faults ended. */
export interface Event {
  readonly second: number
  readonly upstream: string
  readonly faults: Readonly<Record<string, unknown>> | null
}

/** Conditions by metric; the metrics that k6 has itself keep its names. */
export type Thresholds = Readonly<Partial<Record<Metric, readonly string[]>>>

/** What thresholds can speak of. */
export const metrics = [
  'http_req_duration', // trend, ms
  'http_req_failed', // rate: anything but a 2xx
  'dropped_iterations', // counter: what the driver could not send
  'prompt', // rate: answered with a 2xx within a second
  'loop_utilisation', // trend, 0 to 1, of each second
  'loop_delay', // trend, ms, the p99 of each second
  'shed', // counter: requests refused as too many
  'missing', // counter: parts that answers did without
  'upstream_calls', // counter: what was sent to upstreams
] as const

/** The name of one. */
export type Metric = (typeof metrics)[number]
