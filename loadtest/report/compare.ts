import type { Result, Totals } from '../play/result.ts'
import { figure, percent } from './text.ts'

/** One figure of a run, beside that of the run before. */
export interface Row {
  readonly name: string
  readonly now: string
  readonly before: string | null
  /** By what share it has grown; null where that says nothing. */
  readonly change: number | null
  /** Whether the change is good; null when it is neither, or within what runs differ by anyway. */
  readonly better: boolean | null
}

interface Kind {
  readonly name: string
  readonly of: (totals: Totals) => number
  readonly write: (value: number) => string
  readonly more: 'better' | 'worse' | 'neither'
}

/** Runs on a machine that is shared differ by this much for no reason. */
const NOISE = 0.1

const ms = (value: number) => `${figure(value)} ms`
const whole = (value: number) => figure(Math.round(value))

const kinds: readonly Kind[] = [
  { name: 'answered', of: ({ perSecond }) => perSecond, write: (value) => `${figure(value)} req/s`, more: 'better' },
  { name: 'failed', of: failedShare, write: percent, more: 'worse' },
  { name: 'p50', of: ({ p50Ms }) => p50Ms, write: ms, more: 'worse' },
  { name: 'p99', of: ({ p99Ms }) => p99Ms, write: ms, more: 'worse' },
  { name: 'slowest', of: ({ maxMs }) => maxMs, write: ms, more: 'worse' },
  { name: 'loop utilisation', of: ({ utilisation }) => utilisation, write: percent, more: 'worse' },
  { name: 'at most', of: ({ utilisationMax }) => utilisationMax, write: percent, more: 'neither' },
  { name: 'loop delay, p99', of: ({ delayMs }) => delayMs, write: ms, more: 'worse' },
  { name: 'shed', of: ({ shed }) => shed, write: whole, more: 'worse' },
  { name: 'parts missing', of: ({ missing }) => missing, write: whole, more: 'worse' },
  { name: 'upstream calls', of: ({ calls }) => calls, write: whole, more: 'neither' },
  { name: 'memory', of: ({ rssMiB }) => rssMiB, write: (value) => `${figure(value)} MiB`, more: 'worse' },
]

/** Sets a run's figures beside those of the run before, if there was one. */
export function compare(now: Result, before: Result | undefined): Row[] {
  return kinds.map(({ name, of, write, more }) => {
    const [value, old] = [of(now.totals), before && of(before.totals)]
    const change = old === undefined || old === 0 || !Number.isFinite(old) ? null : value / old - 1
    const told = change !== null && Math.abs(change) > NOISE && more !== 'neither'
    const better = told ? change > 0 === (more === 'better') : null
    return { name, now: write(value), before: old === undefined ? null : write(old), change, better }
  })
}

/** The share of what was offered that was not answered well. */
export function failedShare({ failed, offered }: Totals): number {
  return Object.values(failed).reduce((sum, count) => sum + count, 0) / offered
}

/** Writes a change with its sign. */
export function signed(change: number | null): string {
  if (change === null) return ''
  return `${change < 0 ? '−' : '+'}${percent(Math.abs(change))}`
}
