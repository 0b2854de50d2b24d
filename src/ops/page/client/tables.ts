import type { RouteRow, UpstreamRow } from '../moment.ts'
import { element } from './element.ts'
import { count, ms, percent } from './format.ts'

type Cell = readonly [text: string, kind?: 'bad' | 'warn' | 'none']

const zero = (value: number, kind: 'bad' | 'warn', text = count(value)): Cell =>
  value === 0 ? ['0', 'none'] : [text, kind]

/** Shows the routes, those that keep the loop busiest first. */
export function showRoutes(table: HTMLElement, routes: readonly RouteRow[]): void {
  const heads = [
    'route',
    '/s',
    'in flight',
    'p50',
    'p95',
    'p99',
    'failed/s',
    'shed/s',
    'missing/s',
    'loop/request',
    'loop',
  ]
  const rows = routes.toSorted((one, other) => other.loopShare - one.loopShare || other.perSecond - one.perSecond)
  fill(
    table,
    heads,
    rows.map((row): Cell[] => [
      [row.name],
      [count(row.perSecond)],
      [count(row.active)],
      [ms(row.p50Ms)],
      [ms(row.p95Ms)],
      [ms(row.p99Ms)],
      zero(row.failed, 'bad'),
      zero(row.shed, 'bad'),
      zero(row.missing, 'warn'),
      [ms(row.loopMs)],
      [percent(row.loopShare)],
    ]),
  )
}

/** Shows the upstreams, in the order of the config. */
export function showUpstreams(table: HTMLElement, upstreams: readonly UpstreamRow[]): void {
  const heads = [
    'upstream',
    'calls/s',
    'in flight',
    'limit',
    'queued',
    'breaker',
    'endpoints',
    'retries/s',
    'hedges/s',
    'failed/s',
    'p50',
    'p99',
    'cache/s',
  ]
  fill(
    table,
    heads,
    upstreams.map((row): Cell[] => [
      [row.name],
      [count(row.perSecond)],
      [count(row.active)],
      [count(row.limit)],
      zero(row.queued, 'warn'),
      [row.breaker.replace('_', '-'), row.breaker === 'closed' ? 'none' : 'bad'],
      row.out === 0 ? [count(row.endpoints)] : [`${row.endpoints - row.out} of ${row.endpoints}`, 'bad'],
      zero(row.retries, 'warn'),
      zero(row.hedges, 'warn'),
      zero(row.failed, 'bad'),
      [ms(row.p50Ms)],
      [ms(row.p99Ms)],
      [cached(row.cache), 'none'],
    ]),
  )
}

function cached(cache: UpstreamRow['cache']): string {
  const seen = Object.entries(cache).filter(([, rate]) => rate > 0)
  return seen.length === 0 ? '–' : seen.map(([outcome, rate]) => `${outcome} ${count(rate)}`).join(' · ')
}

function fill(table: HTMLElement, heads: readonly string[], rows: readonly (readonly Cell[])[]): void {
  table.replaceChildren(
    element('thead', {}, element('tr', {}, ...heads.map((head) => element('th', { scope: 'col' }, head)))),
    element('tbody', {}, ...rows.map((row) => element('tr', {}, ...row.map(cell)))),
  )
}

function cell([text, kind]: Cell): HTMLElement {
  return element('td', kind === undefined ? {} : { class: kind }, text)
}
