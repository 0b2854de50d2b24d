import { type Batch, Queue } from './queue.ts'

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

// What a burst of failures may leave waiting: about a megabyte at the most.
const maxWaiting = 1_000

/** Queues log lines for the control loop, which writes them. */
export class LogQueue implements Log {
  readonly #queue: Queue<Line>

  constructor(send: (batch: Batch<Line>) => void) {
    this.#queue = new Queue(maxWaiting, send)
  }

  write(level: Line['level'], message: string, fields: Line['fields']): void {
    this.#queue.add({ level, message, fields, at: Date.now() })
  }

  /** Is called when the control loop has taken the last batch. */
  taken(): void {
    this.#queue.taken()
  }

  /** Sends what is waiting, for the end of the loop. */
  flush(): void {
    this.#queue.flush()
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
