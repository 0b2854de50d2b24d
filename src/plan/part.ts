import type { CacheStatus, Outcome, Reply, ReplyHeaders } from '../call/call.ts'
import type { Failure } from '../call/failure.ts'
import type { Account, Work } from '../call/work.ts'

/** What a step came to. */
export interface Part {
  /** Why the step is missing or stood in for, or null: also null for a step that was skipped. */
  readonly failure: Failure | null
  /** Whether a reply, or a fallback, stands for it. */
  readonly present: boolean
  /** Whether an upstream has answered: of a step with several calls, whether one has or there was none to make. */
  readonly answered: boolean
  /** The JSON value, undefined when there is none. Parsed when first asked for. */
  value(): unknown
  /** The JSON text of the value, as it came where it came as JSON. */
  json(): string | Uint8Array
  /** The JSON value for who may change it. */
  own(): unknown
  /** The replies that it is made of. */
  readonly replies: readonly Reply[]
  readonly status?: number
  readonly headers?: ReplyHeaders
  /** What a cache had to do with it. */
  readonly cache?: CacheStatus | undefined
  /** How many calls were made, where it is one for each item. */
  readonly items?: number
}

const nothing = { answered: false, replies: [] } as const
const absent = {
  ...nothing,
  present: false,
  value: () => undefined,
  own: () => undefined,
  json: () => 'null',
} as const
const skippedPart: Part = { ...absent, failure: null }

/** Makes the part of a step that has failed or was skipped (`failure` null), with the fallback's JSON if it has one. */
export function without(failure: Failure | null, fallback: string | null): Part {
  if (fallback !== null) {
    const value = (): unknown => JSON.parse(fallback)
    return { ...nothing, failure, present: true, value, own: value, json: () => fallback }
  }
  return failure === null ? skippedPart : { ...absent, failure }
}

/** How a reply is read, and whose work that is. */
export interface Reading {
  readonly decode: 'json' | 'text'
  readonly work: Work
  readonly account: Account
}

/** Makes the part of a step that was answered. */
export function answered(reply: Reply, reading: Reading): Part {
  return new ReplyPart(reply, reading)
}

/** Makes the part of a step with several calls; `failure` tells that some items failed, and how many. */
export function listed(outcomes: readonly Outcome[], reading: Reading, failure: Failure | null): Part {
  const parts = outcomes.map((outcome) => (outcome.ok ? answered(outcome, reading) : without(outcome, null)))
  const any = outcomes.length === 0 || outcomes.some((outcome) => outcome.ok)
  let values: unknown[] | undefined
  return {
    failure,
    items: outcomes.length,
    present: any,
    answered: any,
    replies: parts.flatMap((part) => part.replies),
    own: () => parts.map((part) => part.own() ?? null),
    value: () => (values ??= parts.map((part) => part.value() ?? null)),
    json: () => joined(parts.map((part) => part.json())),
  }
}

class ReplyPart implements Part {
  readonly failure = null
  readonly present = true
  readonly answered = true
  readonly #reply: Reply
  readonly #reading: Reading
  #value: unknown
  #decoded = false

  constructor(reply: Reply, reading: Reading) {
    this.#reply = reply
    this.#reading = reading
  }

  get status(): number {
    return this.#reply.status
  }

  get headers(): ReplyHeaders {
    return this.#reply.headers
  }

  get cache(): CacheStatus | undefined {
    return this.#reply.cache?.status
  }

  get replies(): readonly Reply[] {
    return [this.#reply]
  }

  value(): unknown {
    if (!this.#decoded) {
      const { memo } = this.#reply
      // What is kept with a reply that others are given as well is parsed once for all of them.
      this.#value = memo === undefined ? this.own() : (memo.value ??= { is: this.own() }).is
      this.#decoded = true
    }
    return this.#value
  }

  own(): unknown {
    const { body } = this.#reply
    const { decode, work, account } = this.#reading
    const before = work.on(account)
    const value: unknown = body.length === 0 ? null : decode === 'json' ? parse(body) : textOf(body)
    work.on(before)
    return value
  }

  json(): string | Uint8Array {
    if (this.#reply.body.length === 0) return 'null'
    return this.#reading.decode === 'json' ? this.#reply.body : JSON.stringify(this.value())
  }
}

function textOf(body: Uint8Array): string {
  return new TextDecoder().decode(body)
}

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString())
  } catch {
    // Only an upstream that is trusted can get here: all others were checked. It trusted itself too much.
    return undefined
  }
}

function joined(parts: readonly (string | Uint8Array)[]): Uint8Array {
  const pieces: Uint8Array[] = []
  parts.forEach((part, i) => {
    pieces.push(Buffer.from(i === 0 ? '[' : ','), typeof part === 'string' ? Buffer.from(part) : part)
  })
  return Buffer.concat([...(pieces.length === 0 ? [Buffer.from('[')] : pieces), Buffer.from(']')])
}
