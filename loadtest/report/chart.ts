import { type Scale, along, linear, logarithmic } from './scale.ts'
import { figure, safe } from './text.ts'

/** Lines over a common axis. */
export interface Chart {
  readonly title: string
  readonly note?: string
  readonly x: readonly number[]
  readonly xUnit: string
  readonly unit: string
  readonly lines: readonly Line[]
  readonly kind?: 'lines' | 'stacked' | 'log'
  /** What the axis reaches at least. */
  readonly most?: number
  readonly marks?: readonly Mark[]
  readonly dots?: boolean
}

/** Values at each x; null where there is none. */
export interface Line {
  readonly name: string
  /** One of the page's colours, 1 to 6. */
  readonly colour: number
  readonly values: readonly (number | null)[]
}

/** Something to see at an x. */
export interface Mark {
  readonly x: number
  readonly text: string
  /** On which side of its line the text stands; on the right unless that is the edge. */
  readonly side?: 'left'
}

const SIZE = 1000

/** Draws a chart: the lines stretch with the page, the words are text beside them and keep their size. */
export function draw(chart: Chart): string {
  const { x, unit, lines, marks = [] } = chart
  const xScale = along(chart.dots ? 0 : (x[0] ?? 0), x.at(-1) ?? 1)
  const drawn = chart.kind === 'stacked' ? stack(lines) : lines
  const yScale = scaleOf(chart, drawn)
  const grid = yScale.ticks.map((tick) => `<path class="grid" d="M0 ${y(yScale, tick)}H${SIZE}"/>`).join('')
  const shapes =
    chart.kind === 'stacked'
      ? areas(drawn, x, xScale, yScale)
      : drawn.map((line) => `<path class="line c${line.colour}" d="${path(line.values, x, xScale, yScale)}"/>`).join('')
  const yLabels = yScale.ticks.map(
    (tick) => `<span class="y" style="top:${share(1 - yScale.at(tick))}">${figure(tick)}</span>`,
  )
  const xLabels = xScale.ticks.map(
    (tick) => `<span class="x" style="left:${share(xScale.at(tick))}">${figure(tick)}</span>`,
  )
  const flags = marks.map(
    ({ x: at, text, side }) =>
      `<span class="mark${side === 'left' || xScale.at(at) > 0.8 ? ' left' : ''}" style="left:${share(xScale.at(at))}"><b>${safe(text)}</b></span>`,
  )
  const dots = chart.dots ? drawn.flatMap((line) => pointsOf(line, x, xScale, yScale)) : []
  const data = {
    x,
    from: xScale.at(0),
    xs: x.map((one) => round(xScale.at(one))),
    xUnit: chart.xUnit,
    unit,
    lines: lines.map(({ values }) => values),
  }
  return `<figure>
<figcaption><h3>${safe(chart.title)} <small>${safe(unit)}</small></h3>${legend(lines)}</figcaption>
<div class="plot" role="img" aria-label="${safe(chart.title)}" data-chart="${safe(JSON.stringify(data))}">
<svg viewBox="0 0 ${SIZE} ${SIZE}" preserveAspectRatio="none" aria-hidden="true">${grid}${shapes}</svg>
${[...yLabels, ...xLabels, ...dots, ...flags].join('')}<i class="cursor"></i>
</div>
<p class="axis">${safe(chart.xUnit)}</p>${chart.note === undefined ? '' : `<p class="note">${safe(chart.note)}</p>`}
</figure>`
}

function scaleOf({ kind, most = 0 }: Chart, lines: readonly Line[]): Scale {
  const values = lines.flatMap((line) => line.values.filter((value) => value !== null))
  const top = Math.max(most, ...values)
  return kind === 'log' ? logarithmic(Math.min(...values.filter((value) => value > 0), top), top) : linear(top)
}

function legend(lines: readonly Line[]): string {
  const items = lines.map(({ name, colour }) => `<li class="c${colour}"><i></i>${safe(name)} <b></b></li>`)
  return `<ul>${items.join('')}</ul>`
}

/** Each line on top of those before it. */
function stack(lines: readonly Line[]): Line[] {
  const sums: number[] = []
  return lines.map((line) => ({
    ...line,
    values: line.values.map((value, index) => (sums[index] = (sums[index] ?? 0) + (value ?? 0))),
  }))
}

function areas(lines: readonly Line[], x: readonly number[], xScale: Scale, yScale: Scale): string {
  // The highest first, so that each covers the part of it that lies below.
  const shape = ({ colour, values }: Line) =>
    `<path class="area c${colour}" d="${path(values, x, xScale, yScale)}L${SIZE} ${SIZE}L0 ${SIZE}Z"/>`
  return lines.toReversed().map(shape).join('')
}

function path(values: Line['values'], x: readonly number[], xScale: Scale, yScale: Scale): string {
  let pen = 'M'
  return values
    .map((value, index) => {
      if (value === null) pen = 'M'
      else {
        const point = `${pen}${round(xScale.at(x[index]!) * SIZE)} ${y(yScale, value)}`
        pen = 'L'
        return point
      }
      return ''
    })
    .join('')
}

function pointsOf({ colour, values }: Line, x: readonly number[], xScale: Scale, yScale: Scale): string[] {
  return values.flatMap((value, index) => {
    if (value === null) return []
    const [left, top] = [share(xScale.at(x[index]!)), share(1 - yScale.at(value))]
    return [`<i class="dot c${colour}" style="left:${left};top:${top}"></i>`]
  })
}

function y(scale: Scale, value: number): number {
  return round((1 - scale.at(value)) * SIZE)
}

function share(value: number): string {
  return `${round(value * 100)}%`
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
