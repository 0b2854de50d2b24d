import type { Context } from 'hono'
import { textOf } from './body.ts'
import { problem } from './problem.ts'

/** What is to be dropped from the cache. */
export type Purged = { readonly key: string } | { readonly tag: string } | { readonly prefix: string }

/** Drops kept replies everywhere, and tells how many and whether that was all. */
export type PurgeAll = (what: Purged) => Promise<{ readonly purged: number; readonly whole: boolean }>

const kinds = ['key', 'tag', 'prefix'] as const
const shape = 'expected a JSON object with one of "key", "tag" and "prefix", and text in it'

/** Answers a POST that says what to drop: `{ "tag": "country:NO" }`. */
export async function purge(c: Context, purgeAll: PurgeAll): Promise<Response> {
  const text = await textOf(c)
  if (typeof text !== 'string') return text
  const what = wantedOf(text)
  if (what === null) return problem(400, shape)
  const { purged, whole } = await purgeAll(what)
  if (whole) return c.json({ purged })
  const detail = 'some of it may be left: Redis or a data loop could not be reached; purge again'
  return problem(503, detail, { members: { purged } })
}

function wantedOf(text: string): Purged | null {
  const body = parsed(text)
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return null
  const [[kind, value] = [], ...others] = Object.entries(body)
  const known = kinds.find((one) => one === kind)
  if (known === undefined || typeof value !== 'string' || others.length > 0) return null
  return { [known]: value } as Purged
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
