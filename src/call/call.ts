import type { Readable } from 'node:stream'
import type { Failure } from './failure.ts'
import type { Scope } from './scope.ts'
import type { Errand } from './work.ts'

/** One message to an upstream, complete but for the endpoint that it goes to. */
export interface Call {
  readonly method: string
  /** Path and query as they are sent, below the endpoint's base path. */
  readonly path: string
  /** Names in lower case and values in turn: `[name, value, name, value]`. */
  readonly headers: readonly string[]
  readonly body: Uint8Array | Readable | null
  /** Which statuses count as a reply. */
  readonly accept: (status: number) => boolean
  /** What the body of a reply must be. With `json` it is checked to be one JSON value, or empty. */
  readonly decode: 'json' | 'text' | 'raw'
  /** Where the reply's body goes as it arrives; without one it is gathered, whole and bounded. */
  readonly sink?: Sink
  /** Whether it was sent before: then not over a connection that may have been closed while it was idle. */
  readonly again?: boolean
  /** Whether it races an attempt at the same call. */
  readonly hedge?: boolean
  /** For what it is made; a call on nobody's behalf, such as a check, has none. */
  readonly errand?: Errand
  /** The endpoints that earlier attempts of the call went to, by key; whoever chooses one adds it. */
  readonly tried?: Set<string>
  /** What keeps stored replies to it apart beside its path: all that was bound from the request or from other replies. */
  readonly apart?: string
  /** Names what it is about, by which stored replies to it can be dropped. */
  readonly tags?: () => readonly string[]
  /** With whom it may be one call; without it, with nobody. */
  readonly share?: Share
}

/** What makes calls that are under way at once one call. */
export interface Share {
  readonly key: string
  /** The key under which what comes of it will be stored: other gateways wait for that. */
  readonly stored: string
  /** Whether what arrives will do for the others as well; of a call with a sink they are told while it arrives. */
  readonly keeps: () => boolean
}

/** Takes a reply while it arrives, for a forward route. A sink that has begun cannot be begun again. */
export interface Sink {
  /** Takes status and headers; `resume` restarts a flow that `chunk` has stopped. */
  head(status: number, headers: ReplyHeaders, resume: () => void): void
  /** Takes a piece of the body; false asks for a pause until `resume` is called. */
  chunk(bytes: Uint8Array): boolean
}

/** Header fields of a reply: names in lower case, a field that came several times as a list. */
export type ReplyHeaders = Readonly<Record<string, string | readonly string[] | undefined>>

/** What an upstream answered. */
export interface Reply {
  readonly ok: true
  readonly status: number
  readonly headers: ReplyHeaders
  /** The whole body with its content coding undone; empty when the call had a sink. */
  readonly body: Uint8Array
  /** What a cache had to do with it, where there is one. */
  readonly cache?: Cached
  /** Where whoever parses the body leaves the value to all who are given the same body; it must not be changed. */
  readonly memo?: Memo
}

/** What a cache had to do with a reply. */
export interface Cached {
  readonly status: CacheStatus
  /** How old the reply is, and how long it is still fresh, in seconds; for less than 0 it has been stale. */
  readonly ageS?: number
  readonly ttlS?: number
  /** Whether an operator's rule says how long it is fresh, whatever it says itself. */
  readonly ruled?: boolean
  /** Why it was asked for (RFC 9211 §2.2). */
  readonly forwarded?: 'uri-miss' | 'vary-miss' | 'stale' | 'partial' | 'request' | 'bypass' | undefined
  /** Whether it is stored now. */
  readonly stored?: boolean
}

/** `bypass`: what is stored was not looked at, and the reply is not stored. */
export const cacheStatuses = ['hit', 'stale', 'miss', 'revalidated', 'coalesced', 'bypass'] as const
export type CacheStatus = (typeof cacheStatuses)[number]

/** A value that was parsed, once it was. */
export interface Memo {
  value?: { readonly is: unknown }
}

/** What became of a call: a reply or a failure, told apart by `ok`. */
export type Outcome = Reply | Failure

/**
 * Takes a call to an outcome. Always settles, never rejects: a rejection is a bug in the gateway. What it gives may be
 * a promise, or settle at once when the outcome is there (an Eventual): a layer that only looks at the outcome hangs on
 * with `then` and costs no turn of the promises' queue.
 */
export type Upstream = (call: Call, scope: Scope) => PromiseLike<Outcome>

/** An upstream made from another: the one way to add behaviour to a call. */
export type Layer = (next: Upstream) => Upstream
