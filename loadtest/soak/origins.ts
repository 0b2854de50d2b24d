import { join } from 'node:path'
import { startChild } from '../resilience/child.ts'

/** What the origins of a soak are told: to be good from now on, or only to tell what they have seen. */
export type Told = 'calm' | 'look'

/** What the origins of a soak have seen. */
export interface Seen {
  /** How often each fault was drawn. */
  readonly drawn: Readonly<Record<string, number>>
  /** Connections with a request that is not answered, or not well, that the gateway has not closed. */
  readonly busy: number
}

/** Two origins in a process of their own; they end with `await using`. */
export interface Origins extends AsyncDisposable {
  readonly urls: readonly string[]
  tell(told: Told): Promise<Seen>
}

/** Starts the origins of a soak. */
export async function startOrigins(seed: number): Promise<Origins> {
  const file = join(import.meta.dirname, 'origin.ts')
  const { child, first } = await startChild<Told, Seen>('others', file, String(seed))
  return {
    urls: (first as number[]).map((port) => `http://127.0.0.1:${port}`),
    tell: (told) => child.ask(told),
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  }
}
