import { breakerStates } from '../../telemetry/meters.ts'
import type { Growth } from './growth.ts'
import type { RouteRow, Spent, UpstreamRow } from './moment.ts'
import { Window, quantile } from './quantile.ts'

// Long enough for a p99 at a few requests a second, short enough to be of the present.
const windowS = 30

const shed = new Set(['overloaded', 'connection_limit_reached'])

/** Makes what tells how each route is doing, to be called once a second. */
export function routeRows(): (
  names: readonly string[],
  growth: Growth,
  spent: readonly Spent[],
  wholeMs: number,
) => RouteRow[] {
  const latencies = latenciesOf('http.server.request.duration', 'http.route')
  return (names, growth, spent, wholeMs) =>
    names.map((name) => {
      const results = growth.each('oneloop.requests', { 'http.route': name })
      const sum = (counts: (result: string) => boolean): number =>
        results.reduce((all, { attributes, by }) => (counts(attributes['result'] ?? '') ? all + by : all), 0)
      const perSecond = sum(() => true)
      const loopMs = spent.reduce((all, { route, ms }) => (route === name ? all + ms : all), 0)
      const at = latencies(growth, name)
      return {
        name,
        perSecond,
        active: growth.value('http.server.active_requests', { 'http.route': name }),
        p50Ms: at(0.5),
        p95Ms: at(0.95),
        p99Ms: at(0.99),
        failed: sum((result) => !['ok', 'partial', 'client_error'].includes(result) && !shed.has(result)),
        shed: sum((result) => shed.has(result)),
        missing: growth.grown('oneloop.missing', { 'http.route': name }),
        loopMs: perSecond === 0 ? null : loopMs / perSecond,
        loopShare: loopMs / wholeMs,
      }
    })
}

/** Makes what tells how each upstream is doing, to be called once a second with how many endpoints each was given. */
export function upstreamRows(): (endpoints: Readonly<Record<string, number>>, growth: Growth) => UpstreamRow[] {
  const latencies = latenciesOf('http.client.request.duration', 'upstream')
  return (endpoints, growth) =>
    Object.entries(endpoints).map(([name, count]) => {
      const upstream = { upstream: name }
      const calls = growth.each('oneloop.calls', upstream)
      const active = growth.value('oneloop.calls.active', upstream)
      const limit = growth.value('oneloop.calls.limit', upstream)
      const at = latencies(growth, name)
      return {
        name,
        perSecond: calls.reduce((all, { by }) => all + by, 0),
        active,
        limit,
        queued: growth.value('oneloop.calls.queued', upstream),
        breaker: breakerStates[growth.value('oneloop.breaker.state', upstream)] ?? 'closed',
        out: growth.value('oneloop.endpoints.out', upstream),
        endpoints: count,
        retries: growth.grown('oneloop.retries', upstream),
        hedges: growth.grown('oneloop.hedges', upstream),
        failed: calls.reduce((all, { attributes, by }) => ('error.type' in attributes ? all + by : all), 0),
        p50Ms: at(0.5),
        p99Ms: at(0.99),
        cache: cacheOf(growth, name),
      }
    })
}

function cacheOf(growth: Growth, upstream: string): Record<string, number> {
  const outcomes = growth.each('oneloop.cache', { upstream })
  return Object.fromEntries(outcomes.map(({ attributes, by }) => [attributes['result'] ?? '', by]))
}

function latenciesOf(name: string, key: string) {
  const windows = new Map<string, Window>()
  return (growth: Growth, of: string): ((q: number) => number | null) => {
    const window = windows.get(of) ?? new Window(windowS)
    windows.set(of, window)
    const counted = growth.buckets(name, { [key]: of })
    if (counted === null) return () => null
    window.add(counted.counts)
    const sums = window.sums()
    return (q) => {
      const seconds = quantile(counted.bounds, sums, q)
      return seconds === null ? null : seconds * 1_000
    }
  }
}
