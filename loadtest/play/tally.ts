import { median } from '../bench/stats.ts'
import { type Histogram, merge, quantile } from '../drive/histogram.ts'
import { type Second, failedOf } from '../drive/play.ts'
import type { Phase } from '../drive/schedule.ts'
import type { Point, Step, Totals } from './result.ts'
import type { Metric } from './scenario.ts'
import type { Measured } from './thresholds.ts'
import type { Interval } from './watch.ts'

/** What is drawn has no use for more points than this. */
const mostPoints = 240

/** Puts the driver's seconds and the gateway's beside each other. */
export function pointsOf(seconds: readonly Second[], intervals: readonly Interval[], playedSeconds: number): Point[] {
  const width = Math.ceil(playedSeconds / mostPoints)
  return Array.from({ length: Math.ceil(playedSeconds / width) }, (_, index) => {
    const range = [index * width, Math.min((index + 1) * width, playedSeconds)] as const
    return pointOf(range[0], range[1] - range[0], seconds.slice(...range), intervals.slice(...range))
  })
}

function pointOf(second: number, width: number, seconds: readonly Second[], intervals: readonly Interval[]): Point {
  const rate = (of: (one: Second) => number) => seconds.reduce((sum, one) => sum + of(one), 0) / width
  const told = (of: (one: Interval) => number) => intervals.reduce((sum, one) => sum + of(one), 0) / width
  const latencies = merge(seconds.map((one) => one.latencies))
  const at = (share: number) => short(quantile(latencies, share))
  return {
    second,
    offered: Math.round(rate(({ offered }) => offered)),
    answered: Math.round(rate(({ answered }) => answered)),
    good: Math.round(rate(({ good }) => good)),
    partial: Math.round(rate(({ partial }) => partial)),
    failed: Math.round(rate((one) => failedOf(one) + one.dropped)),
    p50Ms: at(0.5),
    p90Ms: at(0.9),
    p99Ms: at(0.99),
    utilisation: short(mean(intervals.map(({ utilisation }) => utilisation))),
    delayMs: short(Math.max(...intervals.map(({ delayMs }) => delayMs))),
    shed: Math.round(told(({ shed }) => shed)),
    missing: Math.round(told(({ missing }) => missing)),
    calls: Math.round(told(({ calls }) => calls)),
    rssMiB: Math.round(Math.max(0, ...intervals.map(({ rssMiB }) => rssMiB))),
    ledger: Object.fromEntries(
      [...new Set(intervals.flatMap(({ ledger }) => Object.keys(ledger)))].map((phase) => [
        phase,
        short(told(({ ledger }) => ledger[phase] ?? 0)) ?? 0,
      ]),
    ),
  }
}

/** Takes each phase of a ramp for a step. */
export function stepsOf(phases: readonly Phase[], seconds: readonly Second[], intervals: readonly Interval[]): Step[] {
  let began = 0
  return phases.map(({ seconds: length }) => {
    const range = [began + 1, (began += length)] as const
    const [sent, told] = [seconds.slice(...range), intervals.slice(...range)]
    // Of the seconds' figures the one in the middle: what else the machine did in one of them does not count.
    const middle = (share: number) => median(sent.map(({ latencies }) => quantile(latencies, share)))
    return {
      offered: Math.round(mean(sent.map(({ offered }) => offered))),
      good: Math.round(mean(sent.map(({ good }) => good))),
      p50Ms: short(middle(0.5)) ?? NaN,
      p99Ms: short(middle(0.99)) ?? NaN,
      utilisation: short(median(told.map(({ utilisation }) => utilisation))) ?? NaN,
    }
  })
}

/** Sums a run up. */
export function totalsOf(seconds: readonly Second[], intervals: readonly Interval[], playedSeconds: number): Totals {
  const sum = (of: (one: Second) => number) => seconds.reduce((total, one) => total + of(one), 0)
  const told = (of: (one: Interval) => number) => intervals.reduce((total, one) => total + of(one), 0)
  const latencies = merge(seconds.map((one) => one.latencies))
  const at = (share: number) => short(quantile(latencies, share)) ?? NaN
  const failed: Record<string, number> = {}
  for (const second of seconds) {
    for (const [what, count] of Object.entries(second.failed)) failed[what] = (failed[what] ?? 0) + count
    if (second.dropped > 0) failed['dropped'] = (failed['dropped'] ?? 0) + second.dropped
  }
  const utilisations = intervals.map(({ utilisation }) => utilisation)
  const delays = intervals.map(({ delayMs }) => delayMs)
  return {
    seconds: playedSeconds,
    offered: sum(({ offered }) => offered),
    answered: sum(({ answered }) => answered),
    perSecond: Math.round(sum(({ answered }) => answered) / playedSeconds),
    failed,
    partial: sum(({ partial }) => partial),
    shed: told(({ shed }) => shed),
    missing: told(({ missing }) => missing),
    calls: told(({ calls }) => calls),
    p50Ms: at(0.5),
    p90Ms: at(0.9),
    p99Ms: at(0.99),
    p999Ms: at(0.999),
    maxMs: at(1),
    utilisation: short(mean(utilisations)) ?? NaN,
    utilisationMax: short(Math.max(...utilisations)) ?? NaN,
    delayMs: short(median(delays)) ?? NaN,
    delayMaxMs: short(Math.max(...delays)) ?? NaN,
    rssMiB: Math.round(Math.max(0, ...intervals.map(({ rssMiB }) => rssMiB))),
    lateMs: short(Math.max(0, ...seconds.map(({ lateMs }) => lateMs))) ?? 0,
  }
}

/** Gives the aggregates that thresholds speak of, by the rules that k6 has for each kind of metric. */
export function measuredOf(
  seconds: readonly Second[],
  intervals: readonly Interval[],
  playedSeconds: number,
): Record<Metric, Measured> {
  const totals = totalsOf(seconds, intervals, playedSeconds)
  const failed = Object.values(totals.failed).reduce((sum, count) => sum + count, 0)
  const prompt = seconds.reduce((sum, one) => sum + one.prompt, 0)
  const dropped = totals.failed['dropped'] ?? 0
  return {
    http_req_duration: latency(merge(seconds.map(({ latencies }) => latencies))),
    http_req_failed: rate((failed - dropped) / (totals.offered - dropped)),
    dropped_iterations: counter(dropped, playedSeconds),
    prompt: rate(prompt / totals.offered),
    loop_utilisation: trend(intervals.map(({ utilisation }) => utilisation)),
    loop_delay: trend(intervals.map(({ delayMs }) => delayMs)),
    shed: counter(totals.shed, playedSeconds),
    missing: counter(totals.missing, playedSeconds),
    upstream_calls: counter(totals.calls, playedSeconds),
  }
}

function latency(of: Histogram): Measured {
  const shares: Readonly<Record<string, number>> = { min: 0, med: 0.5, max: 1 }
  return {
    aggregate(name) {
      const share = shares[name] ?? percentile(name)
      return share === undefined ? undefined : quantile(of, share)
    },
  }
}

function trend(values: readonly number[]): Measured {
  const sorted = values.toSorted((one, other) => one - other)
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN
  const known: Readonly<Record<string, number>> = { avg: mean(values), min: at(0), med: at(0.5), max: at(1) }
  return {
    aggregate(name) {
      const share = percentile(name)
      return share === undefined ? known[name] : at(share)
    },
  }
}

function counter(count: number, seconds: number): Measured {
  return { aggregate: (name) => ({ count, rate: count / seconds })[name] }
}

function rate(share: number): Measured {
  return { aggregate: (name) => (name === 'rate' ? share : undefined) }
}

function percentile(name: string): number | undefined {
  const percent = /^p\((.*)\)$/.exec(name)?.[1]
  return percent === undefined ? undefined : Number(percent) / 100
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** Three digits are all that a measurement bears; null where there is nothing. */
function short(value: number): number | null {
  return Number.isFinite(value) ? Number(value.toPrecision(3)) : null
}
