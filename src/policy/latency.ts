// Eight buckets to an octave: a percentile is right to 9 %, which is as much as it holds still. From 0.1 ms to 100 s.
const perOctave = 8
const lowestMs = 0.1
const buckets = Math.ceil(Math.log2(100_000 / lowestMs) * perOctave) + 1
// What is older than twice this is forgotten.
const windowMs = 10_000
// Of fewer the tail cannot be told.
const enough = 50

/** Knows how long the calls of the last 10 to 20 s took. */
export class Latencies {
  #now = new Uint32Array(buckets)
  #before = new Uint32Array(buckets)
  #count = 0
  #countBefore = 0
  #windowEnds = 0

  /** Adds a call that took `ms`. */
  add(now: number, ms: number): void {
    this.#roll(now)
    const place = Math.ceil(Math.log2(Math.max(ms, lowestMs) / lowestMs) * perOctave)
    const at = Math.min(place, buckets - 1)
    this.#now[at] = (this.#now[at] as number) + 1
    this.#count++
  }

  /** The latency in ms that the share `quantile` of calls stays below; null while too few are known. */
  at(now: number, quantile: number): number | null {
    this.#roll(now)
    const count = this.#count + this.#countBefore
    if (count < enough) return null
    let left = Math.ceil(count * quantile)
    for (let place = 0; place < buckets; place++) {
      left -= (this.#now[place] as number) + (this.#before[place] as number)
      if (left <= 0) return lowestMs * 2 ** (place / perOctave)
    }
    return lowestMs * 2 ** ((buckets - 1) / perOctave)
  }

  #roll(now: number): void {
    if (now < this.#windowEnds) return
    const idle = now >= this.#windowEnds + windowMs
    const free = this.#before
    this.#before = this.#now
    this.#countBefore = idle ? 0 : this.#count
    if (idle) this.#before.fill(0)
    this.#now = free.fill(0)
    this.#count = 0
    this.#windowEnds = now + windowMs
  }
}
