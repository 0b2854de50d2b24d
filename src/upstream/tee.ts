import type { ReplyHeaders, Sink } from '../call/call.ts'

/** What is to be done with a reply, seen from its head. */
export interface Verdict {
  /** The header fields to pass it on with; null: it is not for the client. */
  readonly pass: ReplyHeaders | null
  /** Whether its body is to be kept. */
  readonly keep: boolean
}

/** Passes a reply on as it arrives and keeps a copy of its body, up to a bound; past that it just passes on. */
export class Tee implements Sink {
  readonly #to: Sink | null
  readonly #maxBytes: number
  readonly #judge: (status: number, headers: ReplyHeaders) => Verdict
  #passes = false
  #keeps = true
  #chunks: Uint8Array[] = []
  #size = 0

  constructor(to: Sink | null, maxBytes: number, judge: (status: number, headers: ReplyHeaders) => Verdict) {
    this.#to = to
    this.#maxBytes = maxBytes
    this.#judge = judge
  }

  /** Whether something of the reply was passed on. */
  get begun(): boolean {
    return this.#passes
  }

  /** Whether it may still be kept whole. */
  get keeps(): boolean {
    return this.#keeps
  }

  head(status: number, headers: ReplyHeaders, resume: () => void): void {
    this.#chunks = []
    this.#size = 0
    const { pass, keep } = this.#judge(status, headers)
    this.#keeps = keep
    this.#passes = pass !== null && this.#to !== null
    if (pass !== null) this.#to?.head(status, pass, resume)
  }

  chunk(bytes: Uint8Array): boolean {
    this.#size += bytes.length
    if (this.#keeps && this.#size <= this.#maxBytes) this.#chunks.push(bytes)
    else this.#forget()
    return this.#passes ? (this.#to as Sink).chunk(bytes) : true
  }

  #forget(): void {
    this.#keeps = false
    this.#chunks = []
  }

  /** The whole body, once all of it has come. */
  body(): Uint8Array {
    return this.#chunks.length === 1 ? (this.#chunks[0] as Uint8Array) : Buffer.concat(this.#chunks, this.#size)
  }
}
