import type { Batch } from '../telemetry/queue.ts'
import type { Kept } from '../telemetry/record.ts'

// A screen or two of them, and some hundred kilobytes.
const most = 200

/** Remembers the requests whose traces were kept last, for whoever wants to look at them. */
export class Recent {
  #kept: readonly Kept[] = []
  #dropped = 0

  add({ items, dropped }: Batch<Kept>): void {
    this.#kept = [...items.toReversed(), ...this.#kept].slice(0, most)
    this.#dropped += dropped
  }

  /** Lists them, the latest first, and tells how many were lost because the control loop was too slow. */
  list(): { readonly traces: readonly Kept[]; readonly dropped: number } {
    return { traces: this.#kept, dropped: this.#dropped }
  }
}
