import type { Diagnosis, Moment, RouteRow, Spent, UpstreamRow } from './moment.ts'
import { routeOf } from './spent.ts'

/** A time for which a data loop did nothing else than one thing. */
export interface Block {
  /** When it began, in ms since the epoch. */
  readonly at: number
  /** How long it lasted, or lasts already. */
  readonly ms: number
  readonly over: boolean
  /** Whose work it was, by the ledger: null when that had no name. */
  readonly whose: { readonly route: string; readonly upstream: string; readonly phase: string } | null
  /** The function that a profile found, null when none was taken or none stood out. */
  readonly named: string | null
}

/** What the words are made of. */
export interface Evidence {
  readonly moments: readonly Moment[]
  readonly spent: readonly Spent[]
  readonly routes: readonly RouteRow[]
  readonly upstreams: readonly UpstreamRow[]
  readonly blocks: readonly Block[]
  readonly heapLimitBytes: number
  readonly redis: 'up' | 'away' | null
}

// Above this a loop's queue grows faster than its work (docs/operating.md); over some seconds, not for one.
const busy = 0.8
const secondsAtLeast = 5
const delayMs = 50
const nearlyFull = 0.85
// A minute: long enough to be read, short enough to be of the present.
const blockShownMs = 60_000

/** Says in words what is wrong and whose doing it is, the worst first; one line when all is well. */
export function diagnose(evidence: Evidence): Diagnosis[] {
  const found = [
    ...blocked(evidence),
    ...saturated(evidence),
    ...delayed(evidence),
    ...upstreamsOf(evidence),
    ...rest(evidence),
  ]
  if (found.length === 0) return [{ level: 'fine', text: fine(evidence) }]
  return [...found.filter(({ level }) => level === 'act'), ...found.filter(({ level }) => level === 'watch')]
}

function blocked({ blocks, moments }: Evidence): Diagnosis[] {
  const now = moments.at(-1)?.at ?? 0
  return blocks
    .filter(({ at, ms, over }) => !over || at + ms > now - blockShownMs)
    .map(({ at, ms, over, whose, named }): Diagnosis => {
      const by = [named === null ? null : `by \`${named}\``, whose === null ? null : placeOf(whose)]
      const what = by.filter((part) => part !== null).join(' ') || 'by work that has no name in the ledger'
      const how = over ? `was blocked ${Math.round(ms)} ms` : `has been blocked for ${Math.round(ms)} ms`
      return {
        level: over ? 'watch' : 'act',
        text: `${clock(at)} the loop ${how} ${what}: no other request was served meanwhile`,
      }
    })
}

function placeOf({ route, upstream, phase }: NonNullable<Block['whose']>): string {
  const where = route === '' ? 'outside any route' : `in route ${route}`
  return upstream === '' ? `${where}, ${phase}` : `${where}, ${phase} of ${upstream}`
}

function saturated({ moments, spent, routes }: Evidence): Diagnosis[] {
  const last = moments.slice(-secondsAtLeast)
  if (last.length < secondsAtLeast || last.some(({ utilization }) => utilization < busy)) return []
  const most = busiest(spent)
  const perSecond = routes.reduce((sum, route) => sum + route.perSecond, 0)
  const mean = last.reduce((sum, { utilization }) => sum + utilization, 0) / last.length
  const who = most === null ? '' : `; most of it is ${most}`
  const text = `the loop is ${Math.round(mean * 100)} % busy at ${Math.round(perSecond)} requests/s${who}: add a loop or a pod, or make that cheaper`
  return [{ level: mean > 0.95 ? 'act' : 'watch', text }]
}

function busiest(spent: readonly Spent[]): string | null {
  const whole = spent.reduce((sum, { ms }) => sum + ms, 0)
  const most = spent.toSorted((one, other) => other.ms - one.ms)[0]
  if (most === undefined || whole === 0) return null
  const share = Math.round((most.ms / whole) * 100)
  return `${routeOf(most)}${most.phase === 'unattributed' ? '' : `, ${most.phase}${most.upstream === '' ? '' : ` of ${most.upstream}`}`} (${share} %)`
}

function delayed({ moments }: Evidence): Diagnosis[] {
  const last = moments.slice(-secondsAtLeast)
  if (last.length < secondsAtLeast || last.some(({ delayP99Ms }) => delayP99Ms < delayMs)) return []
  const worst = Math.max(...last.map(({ delayP99Ms }) => delayP99Ms))
  return [
    {
      level: 'watch',
      text: `replies wait up to ${Math.round(worst)} ms for the loop (p99 of its turns): latencies of upstreams look longer than they are`,
    },
  ]
}

function upstreamsOf({ upstreams }: Evidence): Diagnosis[] {
  return upstreams.flatMap(({ name, breaker, out, endpoints, queued, limit, retries, perSecond }): Diagnosis[] => [
    ...(breaker === 'closed'
      ? []
      : [
          {
            level: 'act' as const,
            text: `${name} fails: its breaker is ${breaker.replace('_', '-')}, its parts are missing or stood in for`,
          },
        ]),
    ...(out === 0
      ? []
      : [
          { level: 'watch' as const, text: `${out} of ${endpoints} endpoints of ${name} are left out since they fail` },
        ]),
    ...(queued > 0
      ? [
          {
            level: 'watch' as const,
            text: `${Math.round(queued)} calls wait for one of the ${Math.round(limit)} permits of ${name}`,
          },
        ]
      : []),
    ...(retries > perSecond * 0.1 && retries >= 1
      ? [
          {
            level: 'watch' as const,
            text: `${Math.round((retries / Math.max(perSecond, 1)) * 100)} % of the calls to ${name} are made again`,
          },
        ]
      : []),
  ])
}

function rest({ moments, heapLimitBytes, redis, routes }: Evidence): Diagnosis[] {
  const now = moments.at(-1)
  const full = now !== undefined && heapLimitBytes > 0 && now.heapBytes > heapLimitBytes * nearlyFull
  const shedding = routes.filter(({ shed }) => shed > 0).map(({ name }) => name)
  return [
    ...(full
      ? [
          {
            level: 'act' as const,
            text: 'the heap of a data loop is nearly full: it will soon do little but collect garbage',
          },
        ]
      : []),
    ...(redis === 'away'
      ? [{ level: 'watch' as const, text: 'Redis is away: only memory caches, and each gateway fetches for itself' }]
      : []),
    ...(shedding.length === 0 ? [] : [{ level: 'act' as const, text: `requests are shed: ${shedding.join(', ')}` }]),
  ]
}

function fine({ moments, upstreams }: Evidence): string {
  const now = moments.at(-1)
  if (now === undefined) return 'nothing was seen yet'
  const idle = Math.round((1 - now.utilization) * 100)
  return `All is well: the loop is ${idle} % idle, ${upstreams.length} upstreams answer, no request was shed.`
}

function clock(at: number): string {
  return new Date(at).toISOString().slice(11, 19)
}
