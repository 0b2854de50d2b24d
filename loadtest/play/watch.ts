import { type Sample, readMetrics } from './prometheus.ts'

/** What the gateway said of one interval, usually a second. */
export interface Interval {
  /** The share of the time that the data loops were busy, of one loop. */
  readonly utilisation: number
  /** The time that all but one of a hundred turns of the loop took at most. */
  readonly delayMs: number
  readonly shed: number
  readonly missing: number
  /** What was sent to upstreams: a reply out of the cache, or shared with another, is not. */
  readonly calls: number
  /** Who was on the loop, as shares of the time, by phase. */
  readonly ledger: Readonly<Record<string, number>>
  readonly rssMiB: number
}

/** Requests that were refused because there were too many. */
const sheds = ['overloaded', 'connection_limit_reached']

/** Turns each scrape of the gateway's numbers into what has happened since the one before; runs in Node and in k6. */
export function watcher(now: () => number = Date.now): (text: string) => Interval {
  let before = new Map<string, number>()
  let beforeMs = now()
  let last = { utilisation: 0, delayMs: 0 }
  return (text) => {
    const samples = readMetrics(text).filter(({ labels }) => labels['loop'] !== 'control')
    const nowMs = now()
    const seconds = (nowMs - beforeMs) / 1000
    const current = new Map(samples.map((sample) => [keyOf(sample), sample.value]))
    const grown = samples.map((sample) => ({ ...sample, value: sample.value - (before.get(keyOf(sample)) ?? 0) }))
    const sum = (name: string, fits: (labels: Sample['labels']) => boolean = () => true) =>
      grown.reduce((total, one) => total + (one.name === name && fits(one.labels) ? one.value : 0), 0)

    const spent = (state: string) =>
      sum('nodejs_eventloop_time_seconds_total', (labels) => labels['nodejs_eventloop_state'] === state)
    const [active, idle] = [spent('active'), spent('idle')]
    // The control loop looks once a second, by its own clock: between two looks nothing has changed.
    const utilisation = active + idle > 0 ? active / (active + idle) : last.utilisation
    last = { utilisation, delayMs: quantile(grown, 'oneloop_loop_delay_seconds', 0.99, last.delayMs / 1000) * 1000 }
    before = current
    beforeMs = nowMs
    return {
      ...last,
      shed: sum('oneloop_requests_total', ({ result = '' }) => sheds.includes(result)),
      missing: sum('oneloop_missing_total'),
      calls: sum('http_client_request_duration_seconds_count'),
      ledger: ledgerOf(grown, seconds),
      rssMiB: (samples.find(({ name }) => name === 'process_memory_usage_bytes')?.value ?? 0) / 2 ** 20,
    }
  }
}

function keyOf({ name, labels }: Sample): string {
  return `${name} ${JSON.stringify(labels)}`
}

function ledgerOf(grown: readonly Sample[], seconds: number): Record<string, number> {
  const phases: Record<string, number> = {}
  for (const { name, labels, value } of grown) {
    if (name !== 'oneloop_loop_time_seconds_total' || value <= 0) continue
    const phase = labels['phase'] ?? 'other'
    phases[phase] = (phases[phase] ?? 0) + value / seconds
  }
  return phases
}

/** Reads a quantile out of a histogram's buckets, evenly within one; what was before, when nothing was added. */
function quantile(grown: readonly Sample[], family: string, share: number, before: number): number {
  const edges = new Map<number, number>()
  for (const { name, labels, value } of grown) {
    if (name !== `${family}_bucket`) continue
    const edge = labels['le'] === '+Inf' ? Infinity : Number(labels['le'])
    edges.set(edge, (edges.get(edge) ?? 0) + value)
  }
  const sorted = [...edges].sort(([one], [other]) => one - other)
  const wanted = share * (sorted.at(-1)?.[1] ?? 0)
  if (wanted <= 0) return before
  const index = sorted.findIndex(([, count]) => count >= wanted)
  const [edge, count] = sorted[index]!
  const [lowEdge, lowCount] = sorted[index - 1] ?? [0, 0]
  if (edge === Infinity) return lowEdge
  return lowEdge + ((wanted - lowCount) / (count - lowCount)) * (edge - lowEdge)
}
