import type { Call, Upstream } from '../call/call.ts'
import type { Failure } from '../call/failure.ts'
import type { Scope } from '../call/scope.ts'
import type { Trace } from '../call/trace.ts'
import type { Account, CallAccounts, Work } from '../call/work.ts'
import type { Part } from './part.ts'

/** JSON as an operator writes it: mappings keep the order of their keys, so they are Maps. */
export type Template = null | boolean | number | string | readonly Template[] | ReadonlyMap<string, Template>

/** What templates read of the client's request. */
export interface Input {
  readonly requestId: string
  readonly trace: Trace
  /** Is told on whose account the loop works. */
  readonly work: Work
  /** A path parameter, decoded; `*` is the rest of the path as it came. */
  param(name: string): string | undefined
  /** The first value of a query field, decoded. */
  query(name: string): string | undefined
  /** The query as it came, without `?`. */
  readonly rawQuery: string
  header(name: string): string | undefined
  cookie(name: string): string | undefined
  /** The JSON body, or undefined when the request has none. */
  readonly body: unknown
  /** The bytes of the JSON body, as they came. */
  readonly bodyBytes: Uint8Array | null
}

/** What a template reads while a request runs. */
export interface State {
  readonly input: Input
  /** What the steps came to, in the order of the plan; undefined for one that is still under way. */
  readonly parts: readonly (Part | undefined)[]
  /** The item at hand and its place, within an `each`. */
  readonly item: unknown
  readonly index: number
}

/** Makes a call of what is known, or says what is missing. */
export type Bind = (state: State) => Call | Failure

/** Several calls from one step, one per item of an array. */
export interface Each {
  readonly items: (state: State) => unknown
  /** Most calls at once. */
  readonly limit: number
  /** Most items. */
  readonly max: number
  /** How the array was written, to name it in a fault, and who was to give it. */
  readonly text: string
  readonly from: 'client' | 'reply'
}

/** A part of a plan: one call, or one per item, and when it runs. */
export interface Step {
  readonly name: string
  readonly upstream: Upstream
  readonly upstreamName: string
  readonly accounts: CallAccounts
  readonly bind: Bind
  /** The places of the steps it reads from, and of those that read from it. */
  readonly needs: readonly number[]
  readonly neededBy: readonly number[]
  readonly runs: (state: State) => boolean
  readonly each: Each | null
  readonly optional: boolean
  /** Stands in for a failed or skipped step: its JSON, or null. */
  readonly fallback: string | null
  readonly decode: 'json' | 'text'
  /** Two steps with the same number and the same call are one call; null when its method is not safe. */
  readonly sharing: number | null
  /** The time that one attempt may take, for `explain`. */
  readonly timeoutMs: number
}

/** Makes the body of a response from what the steps came to: JSON, as text or bytes. May throw: then the request fails. */
export type Merge = (state: State, scope: Scope) => string | Uint8Array | Promise<string | Uint8Array>

/** What a route does, compiled: nothing of it looks at the config while a request runs. */
export interface Plan {
  readonly steps: readonly Step[]
  readonly merge: Merge
  /** The account of what `merge` does. */
  readonly mergeAccount: Account
  /** The status of a response that has all it needs. */
  readonly status: number
  readonly budgetMs: number
  /** The request fields that the answer depends on, in lower case. */
  readonly varies: readonly string[]
  /** Whether anything reads the request's body. */
  readonly readsBody: boolean
}

/** What a transform is given of the request. */
export interface TransformInput {
  readonly params: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: unknown
}

/**
 * A function of the operator's that makes the body of a response: what it returns is sent as JSON, what it throws
 * costs that request only (500 `transform_error`). `replies` has the JSON of each step by name, null for one that
 * is missing. It runs on the data loop: whatever time it takes, all other requests wait.
 */
// oxlint-disable-next-line typescript/no-explicit-any -- the shape of replies is known to the operator, not to us
export type Transform = (input: TransformInput, replies: Readonly<Record<string, any>>) => unknown
