import { against, type Sample, type Series } from './measure.ts'
import { median } from './stats.ts'

/** The table in which the gateway is set beside its peers at one fan-out, as Markdown. */
export function versus(all: readonly Series[]): string {
  const gateway = all.find(({ name }) => name === 'gateway')
  const at = all.find(({ even }) => even !== undefined)?.even?.perSecond
  const p99 = at === undefined ? 'p99' : `p99 at ${at} req/s`
  const head = [`fan-out ${all[0]?.fanout ?? 0}`, 'req/s on one core', 'Oneloop is', p99, 'CPU per request', 'memory']
  const rows = all.map((series) => [
    series.name === 'gateway' ? '**Oneloop**' : series.name,
    kilo(middle(series, 'perSecond')),
    series === gateway ? '' : unit(gateway && against(gateway, series), '×', 2),
    unit(series.even?.p99Ms, 'ms', 1),
    unit(middle(series, 'cpuMicros'), 'µs', 0),
    unit(series.peakMiB, 'MiB', 0),
  ])
  const lines = [head, head.map((_, column) => (column === 0 ? '---' : '---:')), ...rows]
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

function middle({ samples }: Series, of: keyof Sample): number {
  return median(samples.flatMap((sample) => sample?.[of] ?? []))
}

function kilo(value: number): string {
  return unit(value / 1000, 'k', value < 10_000 ? 2 : 1)
}

function unit(value: number | undefined, name: string, digits: number): string {
  return value !== undefined && Number.isFinite(value) ? `${value.toFixed(digits)} ${name}` : '–'
}
