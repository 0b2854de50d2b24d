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
  /** For what it is made; a call on nobody's behalf, such as a check, has none. */
  readonly errand?: Errand
  /** The endpoints that earlier attempts of the call went to, by key; whoever chooses one adds it. */
  readonly tried?: Set<string>
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
