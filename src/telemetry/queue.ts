/** What is on its way to the control loop, with how much was dropped since the last batch. */
export interface Batch<T> {
  readonly items: readonly T[]
  readonly dropped: number
}

/**
 * Queues things for the control loop. A batch is sent only when the one before was taken, so that a control loop that
 * stands still costs a bounded queue and not the data loop's memory; what does not fit is dropped and counted.
 */
export class Queue<T> {
  readonly #max: number
  readonly #send: (batch: Batch<T>) => void
  #waiting: T[] = []
  #dropped = 0
  #sent = false
  #scheduled = false

  constructor(max: number, send: (batch: Batch<T>) => void) {
    this.#max = max
    this.#send = send
  }

  /** Whether what is added now would be dropped. */
  get full(): boolean {
    return this.#waiting.length >= this.#max
  }

  add(item: T): void {
    if (this.full) this.drop()
    else this.#waiting.push(item)
    this.#schedule()
  }

  /** Counts one that is not even made, since it would not fit. */
  drop(): void {
    this.#dropped++
  }

  /** Is called when the control loop has taken the last batch. */
  taken(): void {
    this.#sent = false
    if (this.#waiting.length > 0 || this.#dropped > 0) this.#schedule()
  }

  /** Sends what is waiting, taken or not: for the end of the loop, when there is no later. */
  flush(): void {
    this.#scheduled = false
    this.#sent = true
    this.#send({ items: this.#waiting, dropped: this.#dropped })
    this.#waiting = []
    this.#dropped = 0
  }

  #schedule(): void {
    if (this.#scheduled || this.#sent) return
    this.#scheduled = true
    setImmediate(() => this.flush())
  }
}
