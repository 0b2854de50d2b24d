import uPlot from 'uplot'
import type { Moment, Now } from '../moment.ts'
import { element } from './element.ts'
import { count, mebi, ms, percent } from './format.ts'
import { styled } from './palette.ts'

interface Strip {
  readonly name: string
  /** What it says of the present, and in small behind it. */
  readonly now: (now: Now) => readonly [string, string]
  readonly lines: readonly ((moment: Moment) => number)[]
  /** The top of the chart, where it does not follow what is shown. */
  readonly top?: number
  readonly tells: (value: number) => string
}

const strips: readonly Strip[] = [
  {
    name: 'Loop utilization',
    now: ({ moment, process }) => [percent(moment.utilization), `control loop ${percent(process.control)}`],
    lines: [(moment) => moment.utilization],
    top: 1,
    tells: percent,
  },
  {
    name: 'Loop delay, p99',
    now: ({ moment }) => [ms(moment.delayP99Ms), `p50 ${ms(moment.delayP50Ms)}, max ${ms(moment.delayMaxMs)}`],
    lines: [(moment) => moment.delayP99Ms, (moment) => moment.delayP50Ms],
    tells: ms,
  },
  {
    name: 'Requests',
    now: ({ moment }) => [`${count(moment.requests)}/s`, `failed ${count(moment.failed)}, shed ${count(moment.shed)}`],
    lines: [(moment) => moment.requests, (moment) => moment.failed + moment.shed],
    tells: count,
  },
  {
    name: 'Garbage collection',
    now: ({ moment }) => [`${ms(moment.gcMs)}/s`, 'within the below'],
    lines: [(moment) => moment.gcMs],
    tells: ms,
  },
  {
    name: 'Memory',
    now: ({ moment, process }) => [
      mebi(moment.rssBytes),
      `heap ${mebi(moment.heapBytes)} of ${mebi(process.heapLimitBytes)}`,
    ],
    lines: [(moment) => moment.rssBytes, (moment) => moment.heapBytes],
    tells: mebi,
  },
]

// A quarter of an hour.
const shownS = 900

/** Makes the strips: what each says now, above what it was in the last 15 minutes. Gives what shows new moments. */
export function makeStrips(into: HTMLElement): {
  show(history: readonly Moment[], now: Now): void
  restyle(): void
} {
  const made = strips.map((strip) => {
    const value = element('div', { class: 'value' })
    const holder = element('div')
    into.append(element('div', { class: 'strip' }, element('div', { class: 'name' }, strip.name), value, holder))
    return { strip, value, holder, plot: null as uPlot | null }
  })
  return {
    show(history, now) {
      const times = history.map(({ at }) => at / 1_000)
      for (const one of made) {
        const [big, small] = one.strip.now(now)
        one.value.replaceChildren(big, ' ', element('small', {}, small))
        const data = [times, ...one.strip.lines.map((line) => history.map(line))] as uPlot.AlignedData
        one.plot ??= plotOf(one.strip, one.holder)
        one.plot.setSize({ width: one.holder.clientWidth, height: 54 })
        one.plot.setData(data)
      }
    },
    restyle() {
      for (const one of made) {
        one.plot?.destroy()
        one.plot = null
      }
    },
  }
}

function plotOf({ lines, top }: Strip, holder: HTMLElement): uPlot {
  const [accent, dim] = [styled('--accent'), styled('--dim')]
  const last = (): number => Date.now() / 1_000
  return new uPlot(
    {
      width: holder.clientWidth,
      height: 54,
      cursor: { show: false },
      legend: { show: false },
      axes: [{ show: false }, { show: false }],
      padding: [4, 0, 2, 0],
      scales: {
        x: { time: true, range: () => [last() - shownS, last()] },
        y: { range: (_, __, most) => [0, top ?? Math.max(most * 1.1, 1e-9)] },
      },
      series: [
        {},
        ...lines.map((_, i) => ({
          stroke: i === 0 ? accent : dim,
          width: 1.3,
          points: { show: false },
          ...(i === 0 && { fill: accent.replace('rgb(', 'rgba(').replace(')', ', 0.15)') }),
        })),
      ],
    },
    [[], ...lines.map(() => [])],
    holder,
  )
}
