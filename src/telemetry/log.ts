/** One line of the log, made on a data loop and written by the control loop. */
export interface Line {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
  /** When it was made, in ms since the epoch: it may be written later. */
  readonly at: number
}

/** Where a data loop says what happened. */
export interface Log {
  write(level: Line['level'], message: string, fields: Line['fields']): void
}

/** A batch on its way to the control loop, with how many lines were dropped since the last. */
export interface Batch {
  readonly lines: readonly Line[]
  readonly dropped: number
}

// What a burst of failures may leave waiting: about a megabyte at the most.
const maxWaiting = 1_000

/**
 * Queues log lines for the control loop. A batch is sent only when the one before was taken, so that a control loop
 * that stands still costs a bounded queue and not the data loop's memory; what does not fit is dropped and counted.
 */
export class LogQueue implements Log {
  readonly #send: (batch: Batch) => void
  #waiting: Line[] = []
  #dropped = 0
  #sent = false
  #scheduled = false

  constructor(send: (batch: Batch) => void) {
    this.#send = send
  }

  write(level: Line['level'], message: string, fields: Line['fields']): void {
    if (this.#waiting.length >= maxWaiting) {
      this.#dropped++
      return
    }
    this.#waiting.push({ level, message, fields, at: Date.now() })
    this.#schedule()
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
    this.#send({ lines: this.#waiting, dropped: this.#dropped })
    this.#waiting = []
    this.#dropped = 0
  }

  #schedule(): void {
    if (this.#scheduled || this.#sent) return
    this.#scheduled = true
    setImmediate(() => this.flush())
  }
}

// Under overload a line for each refusal would be work on top of too much work.
const maxPerSecond = 10

/** Lets through at most ten lines a second for each reason, and counts the others into the next line. */
export class Sparing {
  readonly #log: Log
  readonly #now: () => number
  readonly #seen = new Map<string, { second: number; written: number; held: number }>()

  constructor(log: Log, now: () => number) {
    this.#log = log
    this.#now = now
  }

  write(reason: string, message: string, fields: Line['fields']): void {
    const second = Math.floor(this.#now() / 1_000)
    const seen = this.#seen.get(reason) ?? { second, written: 0, held: 0 }
    this.#seen.set(reason, seen)
    if (seen.second !== second) Object.assign(seen, { second, written: 0 })
    if (seen.written >= maxPerSecond) {
      seen.held++
      return
    }
    seen.written++
    this.#log.write('warn', message, seen.held === 0 ? fields : { ...fields, alike: seen.held })
    seen.held = 0
  }
}
