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
  /** The active time of loops that are gone, and of the one there is. */
  #goneMs = 0
  #activeMs = 0
  /** What stood in series that have been given up. */
  #forgotten = 0

  /** Is told that the loop has other series from now on, and what it had named in all before and has after. */
  change(before: number, after: number): void {
    // The loop goes on meanwhile: what it has named between the two looks is no negative loss.
    this.#forgotten += Math.max(0, before - after)
  }

  /** Takes how long the loop has been active in its life. */
  look(instruments: Instruments, activeMs: number): void {
    // A new loop begins with nothing.
    if (activeMs < this.#activeMs) this.#goneMs += this.#activeMs
    this.#activeMs = activeMs
    const { values } = instruments
    const place = instruments.place(name, { phase: 'unattributed' })
    const { account, forMs } = standingOf(instruments)
    const named = this.#forgotten + namedIn(instruments) - (values[place] as number)
    const running = account === null ? 0 : forMs / 1_000
    const rest = (this.#goneMs + activeMs) / 1_000 - named - running
    // Both clocks are read one after the other: a counter must not fall by that.
    values[place] = Math.max(values[place] as number, rest)
  }
}

/** Adds up all that stands in the ledger, the rest among it. */
export function namedIn(instruments: Instruments): number {
  return instruments.sum((one) => one === name)
}
