import uPlot from 'uplot'
import type { Moment } from '../moment.ts'
import { element } from './element.ts'
import { clock, percent } from './format.ts'
import { colourOf, styled } from './palette.ts'

/** What the loop's second is split by. */
export type Split = 'byRoute' | 'byPhase'

// More would not be told apart; the least of them are one.
const mostParts = 9

/**
 * Makes the chart of who is on the loop: each second, stacked, by route or by phase, of the whole second, so that what
 * was idle is what is left. What could not be named has a part of its own.
 */
export function makeLoop(
  into: HTMLElement,
  legend: HTMLElement,
): {
  show(history: readonly Moment[], split: Split, spanS: number): void
  restyle(): void
} {
  let plot: uPlot | null = null
  let drawn = ''
  return {
    show(history, split, spanS) {
      const shown = history.filter(({ at }) => at > Date.now() - spanS * 1_000)
      const parts = partsOf(shown, split)
      const key = [spanS, ...parts].join('\n')
      if (key !== drawn) plot?.destroy()
      if (plot === null || key !== drawn) plot = plotOf(into, parts, () => spanNow(spanS))
      drawn = key
      plot.setSize({ width: into.clientWidth, height: heightOf(into) })
      plot.setData(stacked(shown, parts, split))
      // A new span needs a new scale, which data alone does not bring.
      plot.setScale('x', { min: spanNow(spanS)[0], max: spanNow(spanS)[1] })
      tell(legend, shown.at(-1), parts, split)
    },
    restyle() {
      plot?.destroy()
      plot = null
    },
  }
}

function spanNow(spanS: number): [number, number] {
  const now = Date.now() / 1_000
  return [now - spanS, now]
}

function heightOf(into: HTMLElement): number {
  return into.clientWidth < 600 ? 190 : 270
}

/** The largest parts first, which lie lowest; the unnamed last. */
function partsOf(moments: readonly Moment[], split: Split): string[] {
  const sums = new Map<string, number>()
  for (const moment of moments) {
    for (const [name, share] of Object.entries(moment[split])) sums.set(name, (sums.get(name) ?? 0) + share)
  }
  sums.delete('unattributed')
  const names = [...sums].sort(([, one], [, other]) => other - one).map(([name]) => name)
  // Their order must not flicker with every second: by name among those that are shown.
  const shown = names.slice(0, mostParts).sort()
  return [...shown, ...(names.length > mostParts ? ['others'] : []), 'unattributed']
}

function shareOf(moment: Moment, part: string, parts: readonly string[], split: Split): number {
  if (part !== 'others') return moment[split][part] ?? 0
  return Object.entries(moment[split]).reduce((sum, [name, share]) => (parts.includes(name) ? sum : sum + share), 0)
}

/** The topmost first: each is the sum of itself and all below it, and the next is painted over it. */
function stacked(moments: readonly Moment[], parts: readonly string[], split: Split): uPlot.AlignedData {
  const sums: number[] = moments.map(() => 0)
  const lines = parts.map((part) =>
    moments.map((moment, i) => (sums[i] = (sums[i] ?? 0) + shareOf(moment, part, parts, split))),
  )
  return [moments.map(({ at }) => at / 1_000), ...lines.reverse()]
}

function plotOf(into: HTMLElement, parts: readonly string[], span: () => [number, number]): uPlot {
  const [text, line] = [styled('--dim'), styled('--line')]
  const grid = { stroke: line, width: 1 }
  const axis = { stroke: text, grid, ticks: grid, font: '11px system-ui' }
  return new uPlot(
    {
      width: into.clientWidth,
      height: heightOf(into),
      legend: { show: false },
      cursor: { points: { show: false }, drag: { x: false, y: false } },
      scales: { x: { time: true, range: () => span() }, y: { range: [0, 1] } },
      axes: [
        { ...axis, values: times, space: 70 },
        { ...axis, size: 54, values: (_, ticks) => ticks.map((tick) => `${Math.round(tick * 100)} %`) },
      ],
      series: [
        {},
        ...[...parts].reverse().map((part) => ({
          label: part,
          stroke: colourOf(part),
          fill: colourOf(part),
          width: 0,
          points: { show: false },
        })),
      ],
    },
    [[], ...parts.map(() => [])],
    into,
  )
}

function times(_: uPlot, ticks: number[]): string[] {
  return ticks.map((tick) => clock(tick * 1_000))
}

function tell(legend: HTMLElement, last: Moment | undefined, parts: readonly string[], split: Split): void {
  if (last === undefined) return
  const shares = parts.map((part) => ({ part, share: shareOf(last, part, parts, split) }))
  const busy = shares.reduce((sum, { share }) => sum + share, 0)
  const rows = [...shares, { part: 'idle', share: Math.max(0, 1 - busy) }]
  legend.replaceChildren(
    ...rows.map(({ part, share }) => {
      const swatch = element('i', { style: `background:${part === 'idle' ? 'var(--idle)' : colourOf(part)}` })
      return element('span', {}, swatch, part, element('b', {}, percent(share)))
    }),
  )
}
