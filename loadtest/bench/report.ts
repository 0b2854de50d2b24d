import { against, type Sample, type Series } from './measure.ts'
import { median, spread } from './stats.ts'

/** A peer that uses less of its core than this is not what limits the measurement. */
const LIMITED = 0.9

const head = ['', 'req/s', 'spread', '× floor', '× naive', 'CPU µs/req', 'core', 'p99 ms', 'peak MiB']

/** The table of one fan-out, a line per peer. */
export function table(all: readonly Series[]): string {
  const fanout = all[0]?.fanout ?? 0
  const rows = all.map((series) => row(series, all))
  const lines = [[`fan-out ${fanout}`, ...head.slice(1)], ...rows]
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)))
  return lines.map((line) => line.map((cell, column) => pad(cell, widths[column]!, column)).join('  ')).join('\n')
}

/**
 * The verdict on the goal: whether it is met, and a sentence to say so.
 *
 * Where the client or the origin was the limit, all peers make the same req/s: then CPU time per request decides.
 */
export function judge(all: readonly Series[], goal: number): { readonly met: boolean; readonly says: string } {
  const find = (name: string) => all.find((series) => series.name === name && series.fanout === 3)
  const [gateway, floor] = [find('gateway'), find('floor')]
  if (gateway === undefined || floor === undefined) {
    return { met: true, says: 'The goal is not judged: it needs gateway and floor at fan-out 3.' }
  }
  const rate = against(gateway, floor)
  const cpu = median(figures(floor, 'cpuMicros')) / median(figures(gateway, 'cpuMicros'))
  const reached = limitedElsewhere(floor) ? cpu : rate
  if (Number.isNaN(reached))
    return { met: false, says: 'At fan-out 3 no run of gateway and floor counts: nothing to judge.' }
  const met = reached >= goal
  const figure = `${fixed(rate, 2)} of the floor in req/s, ${fixed(cpu, 2)} by CPU time per request`
  const verdict = `${met ? 'the goal of' : 'below the goal of'} ${goal.toFixed(2)}${met ? ' is met' : ''}`
  const by = limitedElsewhere(floor) ? ', judged by CPU time' : ''
  return { met, says: `At fan-out 3 the gateway makes ${figure}: ${verdict}${by}.` }
}

// What costs what: the gateway with it, and without.
const prices = [
  { what: 'retry, breaker, adaptive limit and deadline cost', with: 'gateway', without: 'bare' },
  { what: 'the ledger costs', with: 'untraced', without: 'blind' },
  { what: 'tracing 1 % costs', with: 'gateway', without: 'untraced' },
  { what: 'tracing 100 % costs', with: 'traced', without: 'untraced' },
] as const

/** Says what things cost, of each fan-out at which the gateway was measured with and without them. */
export function costs(all: readonly Series[]): string[] {
  return prices.flatMap((price) =>
    all.flatMap((without) => {
      const gateway = all.find(({ name, fanout }) => name === price.with && fanout === without.fanout)
      if (without.name !== price.without || gateway === undefined) return []
      const share = `${fixed((1 - against(gateway, without)) * 100, 1)} %`
      return `At fan-out ${without.fanout} ${price.what} ${share} of the throughput without.`
    }),
  )
}

/** Says of each peer that left its core idle that its figure is only a lower bound. */
export function doubts(all: readonly Series[]): string[] {
  return all.flatMap((series) => {
    if (!limitedElsewhere(series)) return []
    const who = `${series.name} used only ${whole(median(figures(series, 'busy')) * 100)} % of its core`
    return `${who} at fan-out ${series.fanout}: client, origin or another program was the limit, so take its req/s as a lower bound.`
  })
}

/** Was it something else than the peer's own core that limited it? */
function limitedElsewhere(series: Series): boolean {
  return median(figures(series, 'busy')) < LIMITED
}

function row(series: Series, all: readonly Series[]): string[] {
  const find = (name: string) => all.find((other) => other.name === name)
  const rates = figures(series, 'perSecond')
  return [
    series.name,
    whole(median(rates)),
    `${whole(spread(rates) * 100)} %`,
    fixed(against(series, find('floor')), 2),
    fixed(against(series, find('naive')), 2),
    fixed(median(figures(series, 'cpuMicros')), 1),
    `${whole(median(figures(series, 'busy')) * 100)} %`,
    fixed(median(figures(series, 'p99Ms')), 1),
    whole(series.peakMiB ?? NaN),
  ]
}

function figures(series: Series, of: keyof Sample): number[] {
  return series.samples.flatMap((sample) => sample?.[of] ?? [])
}

function pad(cell: string, width: number, column: number): string {
  return column === 0 ? cell.padEnd(width) : cell.padStart(width)
}

function whole(value: number): string {
  return Number.isFinite(value) ? Math.round(value).toLocaleString('en').replaceAll(',', ' ') : '–'
}

function fixed(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits) : '–'
}
