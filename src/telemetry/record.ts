import type { RequestResult } from './meters.ts'

/** Why a request's trace is kept. */
export type Why = 'sampled' | 'slow' | 'failed' | 'shed' | 'hedged' | 'retried'

/** A request whose trace is kept: plain data, which the data loop sends to the control loop when it is over. */
export interface Kept {
  readonly traceId: string
  readonly spanId: string
  /** The span of whoever sent the request; null when it came with no trace. */
  readonly parentSpanId: string | null
  /** As W3C Trace Context writes them: `01` when it is sampled. */
  readonly flags: string
  readonly tracestate?: string
  readonly requestId: string
  readonly route: string
  readonly method: string
  /** Without the query, which may hold what is nobody's business. */
  readonly path: string
  readonly status: number
  readonly result: RequestResult
  readonly why: Why
  /** In ms since the epoch, with a fraction. All other moments are offsets from it, in ms. */
  readonly beganAt: number
  readonly durationMs: number
  /** What of the loop's time was its own. */
  readonly busyMs: number
  /** How long its replies may have lain there before the loop saw them: no longer than the loop had not looked. */
  readonly loopWaitMs: number
  /** The share of time that the loop was busy meanwhile, from 0 to 1. */
  readonly utilisation: number
  readonly steps: readonly KeptStep[]
  readonly attempts: readonly KeptAttempt[]
}

/** A step of a request that is kept. */
export interface KeptStep {
  readonly name: string
  readonly upstream: string
  readonly beganMs: number
  readonly endedMs: number
  readonly optional: boolean
  readonly error?: string
  readonly skipped?: boolean
  /** What the cache had to say of its call: `hit`, `miss`. */
  readonly cache?: string
  /** Whether the answer really waited for it. */
  readonly critical: boolean
  /** How many calls it made, where it makes one for each item. */
  readonly items?: number
}

/** One sending of a call. */
export interface KeptAttempt {
  /** The step that it was made for; empty on a forward route. */
  readonly step: string
  readonly upstream: string
  readonly endpoint: string
  readonly method: string
  readonly path: string
  readonly spanId: string
  readonly beganMs: number
  /** When it had a connection to go over. */
  readonly queuedMs: number
  /** When that connection was there: the same moment unless it had to be made. */
  readonly connectMs: number
  readonly sentMs: number
  readonly headMs: number
  readonly endedMs: number
  readonly status?: number
  readonly error?: string
  /** How often the call was sent before. */
  readonly resend: number
  /** Whether it raced another. */
  readonly hedge: boolean
  readonly loopWaitMs: number
}
