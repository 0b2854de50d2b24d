import { type FailureName, failures } from '../call/failure.ts'
import type { Job } from './ledger.ts'
import type { RequestResult } from './meters.ts'
import type { Queue } from './queue.ts'
import type { Kept, Why } from './record.ts'

/** Which requests are traced. */
export interface TracingOptions {
  /** The share that is chosen when a trace begins here, from 0 to 1. */
  readonly sample: number
  /** From how long on a request is kept for that. */
  readonly slowMs: number
}

// What failed or was slow tells the same again and again: a trouble must not be made worse by what is told of it.
const maxPerSecond = 100

const shed: ReadonlySet<RequestResult> = new Set(['overloaded', 'connection_limit_reached', 'destination_unavailable'])

/** Sends requests that are kept on their way, once the loop has time for it. */
export class Keeper {
  readonly #queue: Queue<Kept>
  #waiting: (() => Kept)[] = []

  constructor(queue: Queue<Kept>) {
    this.#queue = queue
  }

  /** Keeps a request: what is told of it is put together later, when nobody waits for that. */
  keep(make: () => Kept): void {
    if (this.#queue.full) return this.#queue.drop()
    this.#waiting.push(make)
    if (this.#waiting.length === 1) setImmediate(() => this.flush())
  }

  /** Puts together what is waiting, now. */
  flush(): void {
    for (const make of this.#waiting.splice(0)) this.#queue.add(make())
  }
}

/** Decides which requests are kept as traces. */
export class Tracing {
  readonly #options: TracingOptions
  readonly #keeper: Keeper
  readonly #now: () => number
  #second = 0
  #unsampled = 0

  constructor(options: TracingOptions, keeper: Keeper, now: () => number) {
    this.#options = options
    this.#keeper = keeper
    this.#now = now
  }

  /** Whether a trace that begins here is to be kept whatever becomes of it. */
  readonly sample = (): boolean => Math.random() < this.#options.sample

  /** Says why a request that is over is kept; null when it is not. */
  why(sampled: boolean, result: RequestResult, { hedged, retried }: Job, tookMs: number): Why | null {
    if (sampled) return 'sampled'
    const why = reasonOf(result, hedged, retried, tookMs >= this.#options.slowMs)
    return why === null || !this.#allowed() ? null : why
  }

  /** Keeps a request that is over. */
  keep(make: () => Kept): void {
    this.#keeper.keep(make)
  }

  #allowed(): boolean {
    const second = Math.floor(this.#now() / 1_000)
    if (second !== this.#second) this.#unsampled = 0
    this.#second = second
    return this.#unsampled++ < maxPerSecond
  }
}

function reasonOf(result: RequestResult, hedged: boolean, retried: boolean, slow: boolean): Why | null {
  if (shed.has(result)) return 'shed'
  // Parts that are missing have failed.
  if (result === 'partial' || (result as FailureName) in failures) return 'failed'
  return hedged ? 'hedged' : retried ? 'retried' : slow ? 'slow' : null
}
