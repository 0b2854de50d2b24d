import { join } from 'node:path'
import { startChild } from './child.ts'

/** How an origin serves. */
export type Manner =
  /** Answers after so long. */
  | { readonly kind: 'takes'; readonly ms: number }
  /** Answers after the usual time, but this share of the requests after so long. */
  | { readonly kind: 'tail'; readonly share: number; readonly ms: number }
  /** Answers 503. */
  | { readonly kind: 'refuses' }
  /** Has so many servers behind one queue, each of which takes so long for a request in the mean. */
  | { readonly kind: 'servers'; readonly servers: number; readonly meanMs: number }
  /** Closes the connection of this share of the requests. */
  | { readonly kind: 'closes'; readonly share: number }

/** What an origin has seen since it was last told how to serve. */
export interface Counts {
  readonly requests: number
  /** Requests that it has now. */
  readonly inFlight: number
  /** Connections that it has closed, or is about to. */
  readonly closed: number
}

/** An origin in a process of its own; it ends with `await using`. */
export interface Origin extends AsyncDisposable {
  readonly url: string
  /** Has it serve otherwise from now on, and counts anew. */
  become(manner: Manner): Promise<Counts>
  counts(): Promise<Counts>
}

/** Starts an origin. */
export async function startOrigin(manner: Manner): Promise<Origin> {
  const file = join(import.meta.dirname, 'origin.ts')
  const { child, first } = await startChild<Manner | 'counts', Counts>('others', file)
  await child.ask(manner)
  return {
    url: `http://127.0.0.1:${Number(first)}`,
    become: (next) => child.ask(next),
    counts: () => child.ask('counts'),
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  }
}
