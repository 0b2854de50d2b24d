import type { Verdict } from './thresholds.ts'

/** One second of a run, or the mean of a few; what a client saw, and what the gateway said of itself. */
export interface Point {
  readonly second: number
  readonly offered: number
  readonly answered: number
  readonly good: number
  readonly partial: number
  readonly failed: number
  readonly p50Ms: number | null
  readonly p90Ms: number | null
  readonly p99Ms: number | null
  readonly utilisation: number | null
  readonly delayMs: number | null
  readonly shed: number
  readonly missing: number
  readonly calls: number
  readonly rssMiB: number
  readonly ledger: Readonly<Record<string, number>>
}

/** One step of a ramp, all its seconds together but the first, in which it settles. */
export interface Step {
  readonly offered: number
  /** Answered with a 2xx. */
  readonly good: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly utilisation: number
}

/** A load run as it is kept: small, and all that its report is made of. */
export interface Result {
  readonly scenario: string
  readonly about: string
  readonly date: string
  readonly commit: string
  readonly changed: boolean
  readonly cpu: string
  readonly setting: string
  /** What is asked for, in words. */
  readonly asks: string
  /** Requests a second that the gateway was first found to bear at most. */
  readonly capacity: number | null
  readonly loops: number
  readonly totals: Totals
  readonly verdicts: readonly Verdict[]
  readonly events: readonly { readonly second: number; readonly text: string }[]
  readonly points: readonly Point[]
  readonly steps: readonly Step[]
}

/** A run in a few figures, to be set beside those of another. */
export interface Totals {
  readonly seconds: number
  readonly offered: number
  readonly answered: number
  readonly perSecond: number
  readonly failed: Readonly<Record<string, number>>
  readonly partial: number
  readonly shed: number
  readonly missing: number
  readonly calls: number
  readonly p50Ms: number
  readonly p90Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
  readonly maxMs: number
  readonly utilisation: number
  readonly utilisationMax: number
  readonly delayMs: number
  readonly delayMaxMs: number
  readonly rssMiB: number
  /** How late the driver sent at most: much of it, and the latencies are the driver's own. */
  readonly lateMs: number
}
