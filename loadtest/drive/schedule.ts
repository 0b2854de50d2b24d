/** A stretch of a load: so many requests a second, evenly growing or shrinking from `from` to `to`. */
export interface Phase {
  readonly seconds: number
  readonly from: number
  readonly to: number
}

/** When each request is due, in milliseconds from the start, whatever became of those before it: an open loop. */
export function* arrivals(phases: readonly Phase[]): Generator<number, void> {
  let beganMs = 0
  let before = 0 // requests of the phases before; with a fraction
  let nth = 0
  for (const { seconds, from, to } of phases) {
    const after = before + ((from + to) / 2) * seconds
    // What adds up to a whole number but for its last bits begins the next phase.
    for (; nth < after - 1e-6; nth++) yield beganMs + reached(nth - before, from, (to - from) / seconds) * 1000
    before = after
    beganMs += seconds * 1000
  }
}

/** The seconds after which a rate that begins at `from` and grows evenly has brought that many requests. */
function reached(count: number, from: number, growth: number): number {
  // The root of from·t + growth·t²/2 = count, in the form that stands a growth of 0.
  return count <= 0 ? 0 : (2 * count) / (from + Math.sqrt(Math.max(0, from * from + 2 * growth * count)))
}
