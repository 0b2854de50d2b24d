import type { Reading } from '../../telemetry/instruments.ts'
import type { Seen } from '../observe.ts'
import { Growth } from './growth.ts'
import type { Moment, RouteRow, Spent, UpstreamRow } from './moment.ts'
import { routeRows, upstreamRows } from './rows.ts'
import { routeOf, sharesBy, spentOf } from './spent.ts'

/** What a second looked like: what is remembered of it, and what is only shown. */
export interface Present {
  readonly moment: Moment
  readonly spent: readonly Spent[]
  readonly routes: readonly RouteRow[]
  readonly upstreams: readonly UpstreamRow[]
  readonly sockets: number | null
  readonly redis: 'up' | 'away' | null
}

/** What the config in use has names for. */
export interface Named {
  readonly routes: readonly string[]
  /** How many endpoints each upstream was given. */
  readonly endpoints: Readonly<Record<string, number>>
  /** Whether it has a Redis. */
  readonly redis: boolean
}

/** Makes what sums up a second, to be called once in each with what was seen and with all numbers. */
export function presenter(): (seen: Seen, readings: readonly Reading[], named: Named) => Present | null {
  const growth = new Growth()
  const [rowsOfRoutes, rowsOfUpstreams] = [routeRows(), upstreamRows()]
  return (seen, readings, { routes, endpoints, redis }) => {
    growth.take(readings)
    if (!growth.compares) return null
    const [activeMs, idleMs] = ['active', 'idle'].map((state) => loopMs(growth, seen, state)) as [number, number]
    const wholeMs = Math.max(activeMs + idleMs, 1)
    const spent = spentOf(growth, activeMs)
    const rows = rowsOfRoutes(routes, growth, spent, wholeMs)
    const sum = (of: (row: RouteRow) => number): number => rows.reduce((all, row) => all + of(row), 0)
    const worst = (of: (loop: Seen['loops'][number]) => number): number => Math.max(0, ...seen.loops.map(of))
    const moment: Moment = {
      at: seen.at,
      utilization: activeMs / wholeMs,
      delayP50Ms: worst((loop) => loop.delayP50Ms),
      delayP99Ms: worst((loop) => loop.delayP99Ms),
      delayMaxMs: worst((loop) => loop.delayMaxMs),
      heapBytes: worst((loop) => loop.heapBytes),
      rssBytes: seen.rssBytes,
      gcMs: growth.grown('v8js.gc.duration') * 1_000,
      requests: sum((row) => row.perSecond),
      failed: sum((row) => row.failed),
      shed: sum((row) => row.shed),
      byRoute: sharesBy(spent, wholeMs, routeOf),
      byPhase: sharesBy(spent, wholeMs, ({ phase }) => phase),
    }
    return {
      moment,
      spent,
      routes: rows,
      upstreams: rowsOfUpstreams(endpoints, growth),
      sockets: growth.has('process.open_fds') ? growth.value('process.open_fds') : null,
      redis: !redis ? null : growth.value('oneloop.redis.up') > 0 ? 'up' : 'away',
    }
  }
}

/** The time that the data loops were in a state, all together. */
function loopMs(growth: Growth, seen: Seen, state: string): number {
  const of = seen.loops.map(({ loop }) =>
    growth.grown('nodejs.eventloop.time', { loop, 'nodejs.eventloop.state': state }),
  )
  return of.reduce((sum, seconds) => sum + seconds * 1_000, 0)
}
