import type { Attributes, Series } from './instruments.ts'

/** Where numbers lie in shared memory: the place of each series' first one, in the order of their list. */
export interface Layout {
  readonly buffer: SharedArrayBuffer
  readonly starts: readonly number[]
}

// What numbers may grow to while the process runs: only addresses are taken for it, no memory.
const roomBytes = 256 * 1024 * 1024

/** Says that there is no room for all numbers of a config in what was set aside when the process started. */
export class NoRoom extends Error {}

/** Lays out numbers, one series after the other. */
export function layOut(series: readonly Series[]): Layout {
  const { starts, length } = placed(series, new Map())
  const byteLength = length * Float64Array.BYTES_PER_ELEMENT
  return { buffer: new SharedArrayBuffer(byteLength, { maxByteLength: byteLength + roomBytes }), starts }
}

/**
 * Lays out numbers for other series over the same memory. A series that persists, with all that it is split by, keeps its
 * place and so its values, also while they are being written; others begin at 0, where there is room or at the end.
 * Nobody may write to series that are no longer in the list.
 */
export function layOutAnew(series: readonly Series[], before: readonly Series[], { buffer, starts }: Layout): Layout {
  const shapes: Shapes = new Map()
  const known = new Map(before.map((one, i) => [wholeKey(one, shapes), starts[i] as number]))
  const kept = new Map(series.map((one) => [one, known.get(wholeKey(one, shapes))] as const))
  const next = placed(series, kept)
  const byteLength = Math.max(next.length * Float64Array.BYTES_PER_ELEMENT, buffer.byteLength)
  if (byteLength > buffer.maxByteLength) throw new NoRoom('there are more numbers than there is room for')
  buffer.grow(byteLength)
  const values = new Float64Array(buffer, 0, next.length)
  series.forEach((one, i) => {
    const start = next.starts[i] as number
    if (kept.get(one) === undefined) values.fill(0, start, start + lengthOf(one))
  })
  return { buffer, starts: next.starts }
}

/** How many numbers a series has. */
export function lengthOf(series: Series): number {
  return (series.split?.length ?? 1) * sizeOf(series)
}

/** How many numbers a series has for each that it is split into: a histogram its sum and its buckets. */
export function sizeOf({ bounds }: Series): number {
  return bounds === undefined ? 1 : bounds.length + 2
}

type Shapes = Map<Series['split'], string>

/** What tells one series from another. */
export function keyOf(name: string, attributes: Attributes): string {
  return `${name} ${JSON.stringify(attributes)}`
}

/** What tells one series from another of the same name and attributes that is split otherwise. */
export function wholeKey({ name, attributes, split, bounds }: Series, shapes: Shapes = new Map()): string {
  // It is long, and shared by many.
  let shape = shapes.get(split)
  if (shape === undefined) shapes.set(split, (shape = JSON.stringify(split ?? null)))
  return `${keyOf(name, attributes)} ${bounds?.join()} ${shape}`
}

/** Finds a place for each series that has none: the first where there is room. */
function placed(series: readonly Series[], kept: ReadonlyMap<Series, number | undefined>) {
  const gaps = gapsBetween([...kept].flatMap(([one, start]) => (start === undefined ? [] : [[start, lengthOf(one)]])))
  const starts = series.map((one) => {
    const start = kept.get(one)
    if (start !== undefined) return start
    const length = lengthOf(one)
    // The last has no end.
    const gap = gaps.find(({ from, to }) => to - from >= length) as Gap
    gap.from += length
    return gap.from - length
  })
  const ends = series.map((one, i) => (starts[i] as number) + lengthOf(one))
  return { starts, length: ends.reduce((longest, end) => Math.max(longest, end), firstPlace) }
}

interface Gap {
  from: number
  readonly to: number
}

// Before it stands what the loop is at now.
const firstPlace = 4

function gapsBetween(taken: readonly (readonly number[])[]): Gap[] {
  const gaps: Gap[] = []
  let from = firstPlace
  for (const [start = 0, length = 0] of taken.toSorted(([a = 0], [b = 0]) => a - b)) {
    if (start > from) gaps.push({ from, to: start })
    from = start + length
  }
  return [...gaps, { from, to: Infinity }]
}
