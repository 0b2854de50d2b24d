import type { ReplyHeaders } from '../call/call.ts'
import type { Scope } from '../call/scope.ts'

/** A reply that is kept, with what is to be known to use it again. A store changes nothing in it, nor may who gets it. */
export interface Entry {
  readonly status: number
  readonly headers: ReplyHeaders
  readonly body: Uint8Array
  /** When the call was sent and when its reply came, in ms since the epoch (RFC 9111 §4.2.3). */
  readonly requestedAt: number
  readonly receivedAt: number
  /** Whether the body was checked to be one JSON value, or empty. */
  readonly json: boolean
  /** The request fields that it was selected by, normalised. */
  readonly vary: Readonly<Record<string, string>>
  readonly tags: readonly string[]
  /** How long it is fresh from `receivedAt` on, in ms. */
  readonly freshMs: number
  /** How long after that it may be used while it is fetched anew, and when that fails, in ms. */
  readonly staleMs: number
  readonly onErrorMs: number
}

/** What is to be dropped: the entry of a key with all its variants, what has a tag, or what has a key that begins so. */
export type Purge = { readonly key: string } | { readonly tag: string } | { readonly prefix: string }

/** The right to fetch what a key stands for, which no other gateway has meanwhile. */
export interface Lease {
  /** Gives it back: those who wait for it are told. */
  release(): void
}

/** A place to keep replies, by the keys of key.ts. Whatever happens to it, nothing here throws or rejects. */
export interface Store {
  /** Finds the entry of a key: at once where memory has it, so that a hit costs no turn of a promise. */
  get(key: string): Entry | null | Promise<Entry | null>
  /** Keeps an entry for so long, as far as there is room. It never waits; what cannot be kept is counted. */
  set(key: string, entry: Entry, keepMs: number): void
  /** Drops the entry of just this key. */
  delete(key: string): void
  /** Drops what was kept until now, and tells how many entries that were; null when some could not be reached. */
  purge(what: Purge): Promise<number | null>
  /** Takes the lease of a key for at most so long; null when another gateway has it, or has stored the entry just now. */
  lease(key: string, ms: number): Lease | Promise<Lease | null>
  /**
   * Waits until another gateway has stored the entry of a key or has no lease of it any more: true. False when the
   * scope ends before.
   */
  changed(key: string, scope: Scope): Promise<boolean>
  /** Ends all connections. */
  destroy(): Promise<void>
}

/** Counts what becomes of a store. */
export interface StoreMeter {
  /** Shows how many entries are in memory, and the bytes that they take. */
  memory(entries: number, bytes: number): void
  /** Counts an entry that was dropped to make room. */
  evicted(): void
}
