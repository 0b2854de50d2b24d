import { type Histogram, histogram } from './histogram.ts'
import type { Phase } from './schedule.ts'

/** A request of a mix; its weight is its share among the others'. */
export interface Ask {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly body?: string
  readonly weight: number
}

/** What a driver is told to do. */
export interface Play {
  readonly url: string
  readonly mix: readonly Ask[]
  readonly phases: readonly Phase[]
  /** Who waits longer than this leaves. */
  readonly timeoutMs: number
  readonly connections: number
  readonly seed: number
}

/** One second of a play. What became of a request is told of the second in which it was due. */
export interface Second {
  offered: number
  /** Answered with a 2xx. */
  good: number
  /** Answered with a 2xx within a second from when they were due. */
  prompt: number
  /** Answered with a 2xx that lacks a part. */
  partial: number
  /** What else became of them, by status or by what went wrong. */
  failed: Record<string, number>
  /** Not sent, as too many were under way: the driver is full, and the play counts for little. */
  dropped: number
  /** Answers that came in this second, whenever they were due. */
  answered: number
  /** How late requests were sent at most: the driver itself was too busy. */
  lateMs: number
  /** From when it was due to the end of its answer, of each that was answered at all. */
  latencies: Histogram
}

/** Makes a second in which nothing has happened yet. */
export function emptySecond(): Second {
  return {
    offered: 0,
    good: 0,
    prompt: 0,
    partial: 0,
    failed: {},
    dropped: 0,
    answered: 0,
    lateMs: 0,
    latencies: histogram(),
  }
}

/** Adds up how often it went wrong. */
export function failedOf({ failed }: Second): number {
  return Object.values(failed).reduce((sum, count) => sum + count, 0)
}
