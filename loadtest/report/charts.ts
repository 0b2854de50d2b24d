import type { Point, Result } from '../play/result.ts'
import { type Chart, type Line, type Mark, draw } from './chart.ts'
import { type Knee, WELL_USED, kneeOf } from './knee.ts'

type Column = { readonly [Name in keyof Point]: Point[Name] extends number | null ? Name : never }[keyof Point]

/** Draws a run over time. */
export function overTime({ points, events }: Result): string {
  const line = (name: string, colour: number, column: Column, factor = 1): Line => ({
    name,
    colour,
    values: points.map((point) => (point[column] === null ? null : point[column] * factor)),
  })
  const common = {
    x: points.map(({ second }) => second),
    xUnit: 'seconds',
    marks: events.map(({ second, text }): Mark => ({ x: second, text })),
  }
  const charts: Chart[] = [
    {
      ...common,
      title: 'Throughput',
      unit: 'req/s',
      lines: [line('offered', 6, 'offered'), line('answered', 1, 'answered'), line('failed', 4, 'failed')],
    },
    {
      ...common,
      title: 'Latency',
      unit: 'ms, from when a request was due',
      kind: 'log',
      lines: [line('p50', 2, 'p50Ms'), line('p90', 3, 'p90Ms'), line('p99', 4, 'p99Ms')],
    },
    {
      ...common,
      title: 'Loop utilisation',
      unit: '%',
      most: 100,
      lines: [line('busy', 1, 'utilisation', 100)],
    },
    { ...common, title: 'Loop delay', unit: 'ms, p99 of turns', lines: [line('delay', 5, 'delayMs')] },
    ...ledger(points, common),
    {
      ...common,
      title: 'Done without',
      unit: 'a second',
      lines: [line('requests shed', 4, 'shed'), line('parts missing', 3, 'missing')],
    },
    { ...common, title: 'Memory', unit: 'MiB resident', lines: [line('process', 6, 'rssMiB')] },
  ]
  return charts.map(draw).join('\n')
}

/** Who was on the loop: the phases that took most, and all others together. */
function ledger(points: readonly Point[], common: Pick<Chart, 'x' | 'xUnit' | 'marks'>): Chart[] {
  const names = [...new Set(points.flatMap((point) => Object.keys(point.ledger)))]
  if (names.length === 0) return []
  const total = (name: string) => points.reduce((sum, point) => sum + (point.ledger[name] ?? 0), 0)
  const sorted = names.toSorted((one, other) => total(other) - total(one))
  const [most, others] = [sorted.slice(0, 5), sorted.slice(5)]
  const percentOf = (all: readonly string[]) =>
    points.map((point) => all.reduce((sum, name) => sum + (point.ledger[name] ?? 0), 0) * 100)
  const lines = most.map((name, index): Line => ({ name, colour: index + 1, values: percentOf([name]) }))
  if (others.length > 0) lines.push({ name: 'others', colour: 6, values: percentOf(others) })
  return [{ ...common, title: 'Who was on the loop', unit: '% of the time', kind: 'stacked', most: 100, lines }]
}

/** Two lines that are near each other, whose texts stand on their outer sides. */
function kneeMarks({ knee, at80 }: Knee): Mark[] {
  const marks: Mark[] = [{ x: knee.offered, text: 'knee' }]
  if (at80 !== null) marks.push({ x: at80, text: `${WELL_USED * 100} % busy` })
  const [first, ...others] = marks.sort((one, other) => one.x - other.x)
  return [{ ...first!, side: 'left' }, ...others]
}

/** Draws a ramp: utilisation and latency against what was offered, with the knee. */
export function curve({ steps }: Result): string {
  const found = kneeOf(steps)
  const marks = found === undefined ? [] : kneeMarks(found)
  const common = { x: steps.map(({ offered }) => offered), xUnit: 'requests offered a second', marks, dots: true }
  const line = (name: string, colour: number, values: readonly number[]): Line => ({ name, colour, values })
  const charts: Chart[] = [
    {
      ...common,
      title: 'Utilisation by load',
      unit: '%',
      most: 100,
      lines: [line('busy', 1, steps.map(({ utilisation }) => utilisation * 100))],
    },
    {
      ...common,
      title: 'Latency by load',
      unit: 'ms',
      kind: 'log',
      lines: [line('p50', 2, steps.map(({ p50Ms }) => p50Ms)), line('p99', 4, steps.map(({ p99Ms }) => p99Ms))],
    },
  ] // prettier-ignore
  return charts.map(draw).join('\n')
}
