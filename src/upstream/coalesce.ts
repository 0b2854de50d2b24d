import type { Lease, Store } from '../cache/store.ts'
import type { Call, Layer, Outcome, Share, Sink, Upstream } from '../call/call.ts'
import { Eventual } from '../call/eventual.ts'
import { type FailureName, failure } from '../call/failure.ts'
import { Scope } from '../call/scope.ts'
import type { Wheel } from '../call/wheel.ts'
import { lookAgain } from './share.ts'

/** The calls of an upstream that are under way and shared. */
export interface Shared {
  readonly wheel: Wheel
  readonly store: Store
  /** How long other gateways leave a call to the one that makes it. */
  readonly leaseMs: number
  readonly flights: Map<string, Flight>
}

/**
 * Makes one call of those that are alike and under way at once, here and, by a lease, at other gateways. The call runs
 * in a scope of its own, which ends when the last who waits has left: one impatient client must not cancel the others.
 * Replies are marked as coalesced, but for the one of whoever is to store it.
 */
export function coalesce(shared: Shared): Layer {
  return (next) => {
    const made: Upstream = ({ share, ...call }, scope) => {
      if (share === undefined) return next(call, scope)
      const byItself = (): PromiseLike<Outcome> => next(call, scope)
      const flight = shared.flights.get(share.key)
      if (flight !== undefined) {
        return flight.join(scope).then((outcome) => {
          if (outcome === alone) return byItself()
          // Whoever made it has left, with the stream that it was made for.
          const left = !outcome.ok && outcome.error === 'cancelled' && outcome !== lookAgain && scope.ended === null
          return left ? made({ ...call, share }, scope) : outcome
        })
      }
      const begun = new Flight(shared, share)
      return call.sink === undefined
        ? together(begun, call, scope, next)
        : streamed(begun, share, call, call.sink, scope, next)
    }
    return made
  }
}

const alone = failure('cancelled', 'the call is made for one client only')

/** Makes a call for all who wait for it. */
function together(flight: Flight, call: Call, scope: Scope, next: Upstream): PromiseLike<Outcome> {
  const own = flight.join(scope)
  const shared = new Scope(flight.wheel, Infinity)
  flight.onEmpty(() => shared.close('cancelled'))
  void flight
    .leased(shared, () => next(call, shared))
    .then((outcome) => {
      flight.settle(outcome)
      shared.close()
    })
  return own
}

/** Makes a call for the one whose stream it is; the others wait whether it will do for them as well. */
function streamed(
  flight: Flight,
  { keeps }: Share,
  call: Call,
  sink: Sink,
  scope: Scope,
  next: Upstream,
): PromiseLike<Outcome> {
  const own = new Eventual<Outcome>()
  const look = (): void => {
    if (!keeps()) flight.settle(alone)
  }
  const watched: Sink = {
    head(...parts) {
      sink.head(...parts)
      look()
    },
    chunk(bytes) {
      const flows = sink.chunk(bytes)
      look()
      return flows
    },
  }
  void flight
    .leased(scope, () => next({ ...call, sink: watched }, scope))
    .then((outcome) => {
      // First the one who stores it.
      own.resolve(outcome)
      flight.settle(outcome, true)
    })
  return own
}

/** A call that is under way, and those who wait for it. */
export class Flight {
  readonly #shared: Shared
  readonly #key: string
  readonly #stored: string
  readonly #waiters = new Set<(outcome: Outcome) => void>()
  #emptied: (() => void) | null = null
  #lease: Lease | null = null

  constructor(shared: Shared, { key, stored }: Share) {
    this.#shared = shared
    this.#key = key
    this.#stored = stored
    shared.flights.set(key, this)
  }

  get wheel(): Wheel {
    return this.#shared.wheel
  }

  /** Waits for what it comes to, within a scope. */
  join(scope: Scope): PromiseLike<Outcome> {
    const outcome = new Eventual<Outcome>()
    if (scope.ended !== null) {
      outcome.resolve(failure(scope.ended))
      return outcome
    }
    const leave = (why: FailureName): void => {
      this.#waiters.delete(tell)
      if (this.#waiters.size === 0) this.#empty()
      outcome.resolve({ ...failure(why), ...(scope.hurried && { hurried: true }) })
    }
    const tell = (told: Outcome): void => {
      scope.unwatch(leave)
      outcome.resolve(told)
    }
    this.#waiters.add(tell)
    scope.watch(leave)
    return outcome
  }

  onEmpty(emptied: () => void): void {
    this.#emptied = emptied
  }

  #empty(): void {
    if (this.#emptied === null) return
    this.#over()
    this.#emptied()
  }

  /** Makes the call once no other gateway is about to, or says that another has. */
  leased(scope: Scope, make: () => PromiseLike<Outcome>): PromiseLike<Outcome> {
    const { store, leaseMs } = this.#shared
    const lease = store.lease(this.#stored, leaseMs)
    if (!(lease instanceof Promise)) {
      this.#lease = lease
      return make()
    }
    return lease.then(async (got) => {
      this.#lease = got
      if (got !== null) return make()
      return (await store.changed(this.#stored, scope)) ? lookAgain : failure(scope.ended ?? 'cancelled')
    })
  }

  /** Tells all who wait what it came to. `stored`: who is to store it was told before. */
  settle(outcome: Outcome, stored = false): void {
    this.#over()
    let first = !stored
    for (const tell of this.#waiters) {
      this.#waiters.delete(tell)
      tell(first || !outcome.ok ? outcome : { ...outcome, cache: { status: 'coalesced' } })
      first = false
    }
    this.#lease?.release()
    this.#lease = null
  }

  #over(): void {
    const { flights } = this.#shared
    if (flights.get(this.#key) === this) flights.delete(this.#key)
  }
}
