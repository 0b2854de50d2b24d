import type { Kept } from '../../telemetry/record.ts'

/** What a second of the data loops' time went to, in ms. */
export interface Spent {
  readonly route: string
  readonly upstream: string
  /** `accept`, `bind`, `send`, `receive`, `parse`, `merge`, `cache`, `respond`, `transform`, or `unattributed`. */
  readonly phase: string
  readonly ms: number
  /** How much of it was charged on arrival: it lay before what it led to, and was not measured by itself. */
  readonly arrivalMs: number
}

/** One second of the process, kept for a quarter of an hour. Rates are per second; of several data loops the sum, or the worst. */
export interface Moment {
  /** When the second was over, in ms since the epoch. */
  readonly at: number
  /** The share of the data loops' time that they were active, from 0 to 1. */
  readonly utilization: number
  readonly delayP50Ms: number
  readonly delayP99Ms: number
  readonly delayMaxMs: number
  readonly heapBytes: number
  readonly rssBytes: number
  readonly gcMs: number
  readonly requests: number
  readonly failed: number
  readonly shed: number
  /** The share of the loops' time by route, and by phase; what is left to 1 was idle. */
  readonly byRoute: Readonly<Record<string, number>>
  readonly byPhase: Readonly<Record<string, number>>
}

/** How one route is doing. */
export interface RouteRow {
  readonly name: string
  readonly perSecond: number
  readonly active: number
  /** Of the last requests, in ms; null where there were none. */
  readonly p50Ms: number | null
  readonly p95Ms: number | null
  readonly p99Ms: number | null
  readonly failed: number
  readonly shed: number
  readonly missing: number
  /** The loop's time per request, in ms; null where there were none. */
  readonly loopMs: number | null
  readonly loopShare: number
}

/** How one upstream is doing. */
export interface UpstreamRow {
  readonly name: string
  readonly perSecond: number
  readonly active: number
  readonly limit: number
  readonly queued: number
  readonly breaker: 'closed' | 'half_open' | 'open'
  readonly out: number
  readonly endpoints: number
  readonly retries: number
  readonly hedges: number
  readonly failed: number
  readonly p50Ms: number | null
  readonly p99Ms: number | null
  /** Replies from the cache by outcome, per second. */
  readonly cache: Readonly<Record<string, number>>
}

/** What the page says in words, and how much it matters. */
export interface Diagnosis {
  readonly level: 'fine' | 'watch' | 'act'
  readonly text: string
}

/** A profile of a data loop that can be looked at. */
export interface ProfileSummary {
  readonly id: string
  readonly at: number
  readonly seconds: number
  readonly loop: string
  /** Why it was taken: somebody asked, or the loop was blocked. */
  readonly why: string
}

/** All that the page shows of the present. */
export interface Now {
  readonly moment: Moment
  readonly process: {
    readonly state: string
    readonly revision: string
    readonly version: string
    readonly startedAt: number
    readonly loops: readonly { readonly name: string; readonly listening: boolean; readonly deaths: number }[]
    readonly sockets: number | null
    /** Null where no Redis is configured. */
    readonly redis: 'up' | 'away' | null
    readonly control: number
    readonly heapLimitBytes: number
  }
  readonly spent: readonly Spent[]
  readonly routes: readonly RouteRow[]
  readonly upstreams: readonly UpstreamRow[]
  readonly diagnosis: readonly Diagnosis[]
  readonly profiles: readonly ProfileSummary[]
}

/** What comes over the feed, by the name of its event. */
export interface Feed {
  readonly history: readonly Moment[]
  readonly now: Now
  readonly kept: readonly Kept[]
}
