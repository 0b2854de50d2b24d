import type { Attributes, Reading } from '../../telemetry/instruments.ts'

type Wanted = Readonly<Record<string, string>>

/** Numbers as they are now, and how much they have grown since the time before. */
export class Growth {
  #before = new Map<string, Reading>()
  #readings: readonly Reading[] = []
  #byName = new Map<string, Reading[]>()
  #last = new Map<string, Reading>()

  /** Takes the numbers of the present; those that it had are those of before. */
  take(readings: readonly Reading[]): void {
    this.#before = this.#last
    this.#readings = readings
    this.#last = new Map(readings.map((one) => [keyOf(one), one]))
    this.#byName = Map.groupBy(readings, ({ name }) => name) as Map<string, Reading[]>
  }

  /** Whether there are numbers to compare with. */
  get compares(): boolean {
    return this.#before.size > 0 && this.#readings.length > 0
  }

  /** Whether there are numbers of a name. */
  has(name: string): boolean {
    return this.#byName.has(name)
  }

  /** Adds up what the numbers of a name are now, those with these attributes. */
  value(name: string, wanted: Wanted = {}): number {
    return this.#all(name, wanted).reduce((sum, { value }) => sum + value, 0)
  }

  /** Adds up how much the numbers of a name have grown. */
  grown(name: string, wanted: Wanted = {}): number {
    return this.each(name, wanted).reduce((sum, { by }) => sum + by, 0)
  }

  /** Lists how much each number of a name has grown; of a histogram its sum. */
  each(name: string, wanted: Wanted = {}): { readonly attributes: Attributes; readonly by: number }[] {
    return this.#all(name, wanted).map((one) => {
      const by = one.value - (this.#before.get(keyOf(one))?.value ?? 0)
      return { attributes: one.attributes, by: Math.max(0, by) }
    })
  }

  /** Adds up how many fell into each bucket of the histograms of a name since the time before; null when none did. */
  buckets(name: string, wanted: Wanted): { readonly bounds: readonly number[]; readonly counts: number[] } | null {
    const all = this.#all(name, wanted).filter(({ buckets }) => buckets !== undefined)
    const bounds = all[0]?.bounds
    if (bounds === undefined) return null
    const counts = Array.from({ length: bounds.length + 1 }, () => 0)
    for (const one of all) {
      const old = this.#before.get(keyOf(one))?.buckets
      one.buckets?.forEach((count, i) => (counts[i] = (counts[i] ?? 0) + Math.max(0, count - (old?.[i] ?? 0))))
    }
    return { bounds, counts }
  }

  #all(name: string, wanted: Wanted): Reading[] {
    const pairs = Object.entries(wanted)
    return (this.#byName.get(name) ?? []).filter(({ attributes }) =>
      pairs.every(([key, value]) => attributes[key] === value),
    )
  }
}

function keyOf({ name, attributes }: Reading): string {
  return `${name} ${JSON.stringify(attributes)}`
}
