import { against, type Sample, type Series } from './measure.ts'
import { median, spread } from './stats.ts'

const head = ['', 'req/s', 'spread', '× floor', '× naive', 'CPU µs/req', 'core', 'p99 ms', 'peak MiB']

/** The table of one fan-out, a line per peer. */
export function table(all: readonly Series[]): string {
  const fanout = all[0]?.fanout ?? 0
  const rows = all.map((series) => row(series, all))
  const lines = [[`fan-out ${fanout}`, ...head.slice(1)], ...rows]
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)))
  return lines.map((line) => line.map((cell, column) => pad(cell, widths[column]!, column)).join('  ')).join('\n')
}

/** The verdict on the goal: whether it is met, and a sentence to say so. */
export function judge(all: readonly Series[], goal: number): { readonly met: boolean; readonly says: string } {
  const find = (name: string) => all.find((series) => series.name === name && series.fanout === 3)
  const [gateway, floor] = [find('gateway'), find('floor')]
  if (gateway === undefined || floor === undefined) {
    return { met: true, says: 'The goal is not judged: it needs gateway and floor at fan-out 3.' }
  }
  const reached = against(gateway, floor)
  const cpu = median(figures(floor, 'cpuMicros')) / median(figures(gateway, 'cpuMicros'))
  const met = reached >= goal
  const byCpu = Number.isNaN(cpu) ? '' : ` (${cpu.toFixed(2)} by CPU time per request)`
  return {
    met,
    says: `At fan-out 3 the gateway makes ${reached.toFixed(2)} of the floor${byCpu}: ${met ? 'the goal is' : 'below the goal of'} ${goal.toFixed(2)}.`,
  }
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
