import type { Spread } from './latency.ts'

/** What a client asked of a collection: an item by its id, or some of them by query fields or a JSON body. */
export interface Ask {
  readonly id: string | undefined
  readonly query: URLSearchParams
  readonly body: unknown
}

/** Finds what was asked for; undefined is a 404. */
export type Find = (ask: Ask) => unknown

/** The data of one demo service and how it likes to serve it. */
export interface Source {
  readonly name: string
  readonly port: number
  readonly latency: Spread
  /** The answers' Cache-Control. */
  readonly cacheControl: string
  /** By method and collection: `GET countries` answers /countries and /countries/{id}. */
  readonly collections: Readonly<Record<string, Find>>
}
