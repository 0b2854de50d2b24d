/** Names one number: an instrument under OpenTelemetry's naming, and its attributes. */
export interface Series {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
}

/** One number in shared memory. It has one writer, so plain reads and writes do. */
export interface Slot {
  add(by: number): void
  set(to: number): void
}

/**
 * Numbers in memory that both loops share: the data loop writes, the control loop reads whenever it likes, and
 * that costs the data loop nothing. Both make it from the same list of series, so the two agree on the places.
 */
export class Instruments {
  readonly series: readonly Series[]
  readonly buffer: SharedArrayBuffer
  readonly #values: Float64Array
  readonly #places = new Map<string, number>()

  constructor(series: readonly Series[], buffer?: SharedArrayBuffer) {
    this.series = series
    this.buffer = buffer ?? new SharedArrayBuffer(series.length * Float64Array.BYTES_PER_ELEMENT)
    this.#values = new Float64Array(this.buffer)
    series.forEach((one, place) => this.#places.set(keyOf(one.name, one.attributes), place))
  }

  /** Finds the number of a series; one that is not in the list is a bug, told at once. */
  slot(name: string, attributes: Series['attributes']): Slot {
    const values = this.#values
    const place = this.#places.get(keyOf(name, attributes))
    if (place === undefined) throw new Error(`no such series: ${keyOf(name, attributes)}`)
    return {
      add(by) {
        values[place] = (values[place] as number) + by
      },
      set(to) {
        values[place] = to
      },
    }
  }

  /** Reads all numbers, in the order of the series. */
  read(): { readonly name: string; readonly attributes: Series['attributes']; readonly value: number }[] {
    return this.series.map((one, place) => ({ ...one, value: this.#values[place] as number }))
  }

  /** Adds up the numbers of some series. */
  sum(counts: (name: string) => boolean): number {
    return this.series.reduce((sum, { name }, place) => (counts(name) ? sum + (this.#values[place] as number) : sum), 0)
  }

  /** Sets the gauges to 0: the loop that would have counted them down is gone. */
  zero(isGauge: (name: string) => boolean): void {
    this.series.forEach((one, place) => {
      if (isGauge(one.name)) this.#values[place] = 0
    })
  }
}

function keyOf(name: string, attributes: Series['attributes']): string {
  return `${name} ${JSON.stringify(attributes)}`
}
