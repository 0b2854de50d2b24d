import { type Layout, keyOf, layOut, layOutAnew, lengthOf, sizeOf } from './layout.ts'

/** How a number behaves: a counter only grows, a gauge goes up and down, a histogram counts by size. */
export type Kind = 'counter' | 'gauge' | 'histogram'

/** Attributes of a number under OpenTelemetry's naming. */
export type Attributes = Readonly<Record<string, string>>

/** Names one number, or several that differ in a few attributes only. */
export interface Series {
  readonly name: string
  readonly kind: Kind
  /** As UCUM writes it: `s`, `By`, `{request}`, `1`. */
  readonly unit: string
  readonly description: string
  readonly attributes: Attributes
  /** What else tells one number from the next, one entry for each; shared by the series of all routes or upstreams. */
  readonly split?: readonly Attributes[] | undefined
  /** Of a histogram: the upper edges of its buckets, each within its bucket; beyond the last there is one more. */
  readonly bounds?: readonly number[] | undefined
}

/** One number as it was read. */
export interface Reading extends Omit<Series, 'split'> {
  /** Of a histogram the sum of all that was recorded; their count is the sum of its buckets. */
  readonly value: number
  /** Of a histogram: how many fell into each bucket. */
  readonly buckets?: readonly number[]
}

/** One number in shared memory. It has one writer, so plain reads and writes do. */
export interface Slot {
  add(by: number): void
  set(to: number): void
}

/** The histograms of a series. */
export interface Histogram {
  /** Records a value in the histogram of this place in the split, 0 when there is none. */
  record(cell: number, value: number): void
}

/** The places of what is going on: the account that is on, since when, and the epoch of the clock that says so. */
export const current = { account: 0, since: 1, origin: 2 } as const

/**
 * Numbers in memory that both loops share: the data loop writes, the control loop reads whenever it likes, and
 * that costs the data loop nothing. The control loop lays them out and tells the data loop where they lie.
 */
export class Instruments {
  readonly series: readonly Series[]
  readonly layout: Layout
  /** All numbers; a histogram is its sum, followed by its buckets. */
  readonly values: Float64Array
  readonly #places: ReadonlyMap<string, number>

  constructor(series: readonly Series[], layout: Layout = layOut(series)) {
    this.series = series
    this.layout = layout
    // Of this length for good: one that grew with its buffer would be slower to write to.
    this.values = new Float64Array(layout.buffer, 0, layout.buffer.byteLength / Float64Array.BYTES_PER_ELEMENT)
    const places = series.map((one, i) => [keyOf(one.name, one.attributes), layout.starts[i] as number] as const)
    // Of two that are only split otherwise the first, which is the newer, is written to.
    this.#places = new Map(places.toReversed())
  }

  /** Makes the numbers of other series in the same memory: those that persist keep their values. */
  changed(series: readonly Series[]): Instruments {
    return new Instruments(series, layOutAnew(series, this.series, this.layout))
  }

  /** Where the numbers of some of the series lie. */
  layoutOf(series: readonly Series[]): Layout {
    const starts = series.map(({ name, attributes }) => this.place(name, attributes))
    return { buffer: this.layout.buffer, starts }
  }

  /** Finds the place in `values` of a series' first number; one that is not in the list is a bug, told at once. */
  place(name: string, attributes: Attributes): number {
    const place = this.#places.get(keyOf(name, attributes))
    if (place === undefined) throw new Error(`no such series: ${keyOf(name, attributes)}`)
    return place
  }

  /** Says what the number at a place is of: the other way round. */
  attributesAt(place: number): Attributes | null {
    const { starts } = this.layout
    const i = this.series.findIndex((one, n) => {
      const start = starts[n] as number
      return start <= place && place < start + lengthOf(one)
    })
    const one = this.series[i]
    if (one === undefined) return null
    const cell = Math.floor((place - (starts[i] as number)) / sizeOf(one))
    return { ...one.attributes, ...one.split?.[cell] }
  }

  /** Finds the number of a counter or a gauge, at this place in the split if it has one. */
  slot(name: string, attributes: Attributes, cell: number = 0): Slot {
    const { values } = this
    const place = this.place(name, attributes) + cell
    return {
      add(by) {
        values[place] = (values[place] as number) + by
      },
      set(to) {
        values[place] = to
      },
    }
  }

  /** Finds the histograms of a series. */
  histogram(name: string, attributes: Attributes): Histogram {
    const { values } = this
    const start = this.place(name, attributes)
    const { bounds = [] } = this.series.find((one) => one.name === name) as Series
    const size = bounds.length + 2
    return {
      record(cell, value) {
        const place = start + cell * size
        values[place] = (values[place] as number) + value
        let bucket = 0
        while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket++
        const at = place + 1 + bucket
        values[at] = (values[at] as number) + 1
      },
    }
  }

  /** Reads all numbers, in the order of the series, summed with those of others of the same series. */
  read(others: readonly Instruments[] = []): Reading[] {
    const arrays = [this, ...others].map(({ values }) => values)
    const at = (place: number): number => arrays.reduce((sum, values) => sum + (values[place] as number), 0)
    const all = this.series.flatMap((one, i) => readings(one, this.layout.starts[i] as number, at))
    return this.#places.size === this.series.length ? all : merged(all)
  }

  /** Adds up the numbers of some series, which are counters or gauges. */
  sum(counts: (name: string) => boolean): number {
    return this.series.reduce((sum, one, i) => {
      const start = this.layout.starts[i] as number
      if (!counts(one.name)) return sum
      return this.values.subarray(start, start + lengthOf(one)).reduce((all, value) => all + value, sum)
    }, 0)
  }

  /** Sets the gauges to 0: the loop that would have counted them down is gone. */
  zeroGauges(): void {
    this.series.forEach((one, i) => {
      const start = this.layout.starts[i] as number
      if (one.kind === 'gauge') this.values.fill(0, start, start + lengthOf(one))
    })
  }
}

function readings(series: Series, start: number, at: (place: number) => number): Reading[] {
  const { split = [{}], ...one } = series
  const size = sizeOf(series)
  return split.flatMap((more, cell): Reading[] => {
    const place = start + cell * size
    const value = at(place)
    const attributes = { ...one.attributes, ...more }
    if (one.bounds === undefined) return [{ ...one, attributes, value }]
    const buckets = Array.from({ length: size - 1 }, (_, i) => at(place + 1 + i))
    // There are many that could be and few that are: one that was never recorded in says nothing.
    return buckets.every((count) => count === 0) ? [] : [{ ...one, attributes, value, buckets }]
  })
}

/** Adds up what is told twice: by series of which one is split otherwise than the other. */
function merged(all: readonly Reading[]): Reading[] {
  const sums = new Map<string, Reading>()
  for (const one of all) {
    const key = keyOf(one.name, one.attributes)
    const other = sums.get(key)
    const buckets = one.buckets?.map((count, i) => count + (other?.buckets?.[i] ?? 0))
    sums.set(key, { ...one, value: one.value + (other?.value ?? 0), ...(buckets && { buckets }) })
  }
  return [...sums.values()]
}
