import { type Attributes, type Instruments, current } from './instruments.ts'

const name = 'oneloop.loop.time'

/** What a data loop is at, seen from outside: also while it is stuck in it. */
export interface Standing {
  /** Route, upstream and phase; null when what goes on cannot be named, or nothing does. */
  readonly account: Attributes | null
  readonly forMs: number
}

/** Looks what a data loop is at, and for how long now. */
export function standingOf(instruments: Instruments): Standing {
  const { account, since, origin } = current
  const { values } = instruments
  const place = values[account] as number
  const sinceMs = (values[origin] as number) + (values[since] as number)
  return {
    account: place === 0 ? null : instruments.attributesAt(place),
    forMs: Math.max(0, performance.timeOrigin + performance.now() - sinceMs),
  }
}

/**
 * Keeps what of a loop's active time the ledger cannot name: all of it less what stands in the ledger. It is kept by
 * the control loop, in the ledger's own series.
 */
export class Rest {
  readonly #instruments: Instruments
  readonly #place: number
  /** The active time of loops that are gone, and of the one there is. */
  #goneMs = 0
  #activeMs = 0

  constructor(instruments: Instruments) {
    this.#instruments = instruments
    this.#place = instruments.place(name, { phase: 'unattributed' })
  }

  /** Takes how long the loop has been active in its life. */
  look(activeMs: number): void {
    // A new loop begins with nothing.
    if (activeMs < this.#activeMs) this.#goneMs += this.#activeMs
    this.#activeMs = activeMs
    const { values } = this.#instruments
    const { account, forMs } = standingOf(this.#instruments)
    const named = this.#instruments.sum((one) => one === name) - (values[this.#place] as number)
    const running = account === null ? 0 : forMs / 1_000
    const rest = (this.#goneMs + activeMs) / 1_000 - named - running
    // Both clocks are read one after the other: a counter must not fall by that.
    values[this.#place] = Math.max(values[this.#place] as number, rest)
  }
}
