import type { Account } from '../call/work.ts'

/** When whose work began, one after the other, on the clock of the thread that took it down. */
export interface Slice {
  readonly atMs: number
  readonly account: Account
}

// At a few hundred thousand switches a second that is a tenth of one: whoever reads comes more often.
const most = 32_768
const on = 0
const count = 1
const first = 2

/** How much memory slices take. */
const bytes = (first + 2 * most) * Float64Array.BYTES_PER_ELEMENT

/**
 * The last switches of a ledger, in memory that both loops share: the data loop writes them while the control loop
 * wants them, which costs it one look when it does not. What is not read in time is overwritten.
 */
export class Slices {
  readonly #values: Float64Array

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(bytes)) {
    this.#values = new Float64Array(buffer)
  }

  get buffer(): SharedArrayBuffer {
    return this.#values.buffer as SharedArrayBuffer
  }

  /** Whether they are wanted. */
  get wanted(): boolean {
    return this.#values[on] !== 0
  }

  set wanted(is: boolean) {
    this.#values[on] = is ? 1 : 0
  }

  /** Takes a switch down. The data loop alone does. */
  add(atMs: number, account: Account): void {
    const values = this.#values
    const number = values[count] as number
    const place = first + 2 * (number % most)
    values[place] = atMs
    values[place + 1] = account
    values[count] = number + 1
  }

  /** How many were taken down in all: where to read on from. */
  get count(): number {
    return this.#values[count] as number
  }

  /** Reads what was taken down since so many were, less what is overwritten by now or may be while it is read. */
  since(from: number): Slice[] {
    const to = this.count
    const slices: Slice[] = []
    for (let number = Math.max(from, to - most / 2); number < to; number++) {
      const place = first + 2 * (number % most)
      slices.push({ atMs: this.#values[place] as number, account: this.#values[place + 1] as Account })
    }
    return slices
  }
}
