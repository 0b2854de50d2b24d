interface Event {
  readonly at: number
  /** Of two at the same moment the one that was set first comes first, so that a run can be repeated. */
  readonly order: number
  readonly happen: () => void
}

/** Time that passes from event to event, in ms from 0: a simulated minute takes as long as what happens in it. */
export class Clock {
  /** A binary heap: no event comes before the one at half its place. */
  readonly #events: Event[] = []
  #now = 0
  #set = 0

  /** The present moment. */
  get now(): number {
    return this.#now
  }

  /** Has something happen after so many ms. */
  after(ms: number, happen: () => void): void {
    const event: Event = { at: this.#now + ms, order: this.#set++, happen }
    let place = this.#events.push(event) - 1
    for (; place > 0; place = (place - 1) >> 1) {
      const above = this.#events[(place - 1) >> 1] as Event
      if (isBefore(above, event)) break
      this.#events[place] = above
    }
    this.#events[place] = event
  }

  /** Lets time pass until the given moment. What an event has settled is carried through before the next one. */
  async passUntil(end: number): Promise<void> {
    while ((this.#events[0]?.at ?? Infinity) <= end) {
      const { at, happen } = this.#next()
      this.#now = at
      happen()
      await new Promise(setImmediate)
    }
    this.#now = end
  }

  #next(): Event {
    const events = this.#events
    const next = events[0] as Event
    const last = events.pop() as Event
    if (events.length === 0) return next
    let place = 0
    for (;;) {
      const below = 2 * place + 1
      const [left, right] = [events[below], events[below + 1]]
      if (left === undefined) break
      const first = right !== undefined && isBefore(right, left) ? right : left
      if (isBefore(last, first)) break
      events[place] = first
      place = first === left ? below : below + 1
    }
    events[place] = last
    return next
  }
}

function isBefore(one: Event, other: Event): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order)
}
