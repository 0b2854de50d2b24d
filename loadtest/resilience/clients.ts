import { join } from 'node:path'
import { startChild } from './child.ts'
import { quantile } from './quantile.ts'

/** Requests of one kind; each asks for the URL with its own number behind it. */
export type Flow =
  /** At a fixed rate. */
  | { readonly url: string; readonly perSecond: number }
  /** As fast as they are answered. */
  | { readonly url: string; readonly perSecond?: never; readonly clients: number; readonly requests: number }

/** What the clients are to do; the seconds are for flows of a fixed rate. */
export interface Order {
  readonly flows: readonly Flow[]
  readonly seconds: number
}

/** What the clients of a flow have seen. */
export interface Seen {
  readonly sent: number
  /** How many were answered, by status, or by what `Proxy-Status` or the socket said was wrong. */
  readonly kinds: Readonly<Record<string, number>>
  /** Of each from the moment when it was due. */
  readonly tookMs: readonly number[]
  /** How much later than due each was sent. */
  readonly lateMs: readonly number[]
}

// Timers of Node are right to about a millisecond; a client that is this late did not get its core.
const busyMs = 10

/** Clients in a process of their own; it ends with `await using`. */
export interface Clients extends AsyncDisposable {
  /** Sends flows to their end; gives what was seen of each. */
  send(flows: readonly Flow[], seconds?: number): Promise<readonly Seen[]>
}

/** Starts clients; says when they could not send in time, for then the machine is what was measured. */
export async function startClients(say: (text: string) => void): Promise<Clients> {
  const { child } = await startChild<Order, Seen[]>('others', join(import.meta.dirname, 'client.ts'))
  return {
    async send(flows, seconds = 0) {
      const seen = await child.ask({ flows, seconds })
      const lateMs = quantile(
        seen.flatMap((one) => one.lateMs),
        0.99,
      )
      if (lateMs > busyMs) say(`the machine is busy: one request of a hundred was sent ${Math.round(lateMs)} ms late`)
      return seen
    },
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  }
}
