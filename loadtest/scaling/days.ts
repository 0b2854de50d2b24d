/** What happens at one moment of a day. */
export interface Moment {
  /** Requests per second, from all clients together. */
  readonly rate: number
  /** What a request costs the loop, as a multiple of what it does when upstreams are quick. */
  readonly cost: number
  /** The share of a CPU that a pod gets: less than 1 where a node is crowded. */
  readonly share: number
}

/** A day, by the second. */
export interface Day {
  readonly name: string
  at(second: number): Moment
}

const hour = 3_600
const usual = { cost: 1, share: 1 }

/** Clients sleep, wake, and come back in the evening: from 3 000 to 21 000 requests per second. */
function curve(second: number): number {
  const h = second / hour
  const hump = (at: number, width: number): number => Math.exp(-(((h - at) / width) ** 2))
  return 3_000 + 12_000 * hump(12, 3.5) + 18_000 * hump(20, 2)
}

const between = (second: number, from: number, to: number): boolean => second >= from * hour && second < to * hour

/** The days that are played. */
export const days: readonly Day[] = [
  { name: 'daily curve', at: (second) => ({ ...usual, rate: curve(second) }) },
  // Within ten seconds three times as many, for a quarter of an hour.
  {
    name: 'spike',
    at(second) {
      const into = second - 9 * hour
      const times = into < 0 || into > 900 ? 1 : 1 + 2 * Math.min(1, into / 10)
      return { ...usual, rate: curve(second) * times }
    },
  },
  // What waits longer is kept for longer: more timers, more memory that is collected late.
  {
    name: 'slow upstream',
    at: (second) => ({ ...usual, rate: curve(second), cost: between(second, 10, 21) ? 1.25 : 1 }),
  },
  // Neighbours on the nodes take what a pod thought was its own.
  {
    name: 'crowded nodes',
    at: (second) => ({ ...usual, rate: curve(second), share: between(second, 10, 21) ? 0.7 : 1 }),
  },
]
