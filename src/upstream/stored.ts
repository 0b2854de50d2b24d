import { hash, randomUUID } from 'node:crypto'
import { keyOf, variantOf } from '../cache/key.ts'
import type { Entry, Store } from '../cache/store.ts'
import type { Call } from '../call/call.ts'
import { lineOf } from '../policy/fields.ts'
import { selectedBy, variesBy } from '../policy/vary.ts'

/** Where in a store the replies to a call are, and what was found there. */
export interface Place {
  /** The key of the path, and of the entry itself. */
  readonly primary: string
  readonly key: string
  readonly entry: Entry | null
  /** What stands at the primary key where the entry is one of several: how to choose among them. */
  readonly index: Index | null
  /** What stands there in the way of an index. */
  readonly plain: Entry | null
}

/** How one of several entries with a path is chosen. */
export interface Index {
  /** The request fields that replies vary by. */
  readonly names: readonly string[]
  /** Part of all their keys: with another one, all are gone. */
  readonly generation: string
}

/** What of a call chooses among entries. */
export interface Selection {
  readonly apart: string
  readonly valueOf: (name: string) => string | undefined
}

/** The key of a call's path. `word` keeps apart what steps ask for in ways that differ for good. */
export function primaryOf(upstream: string, path: string, word: string): string {
  const key = keyOf('GET', upstream, path)
  return word === '' ? key : variantOf(key, word)
}

/** A digest of what keys are kept apart by: short, and not to be read back. */
function digestOf(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, 22)
}

/** Finds the entry for a call: at once where it is in memory. */
export function find(store: Store, primary: string, selection: Selection): Place | Promise<Place> {
  const found = store.get(primary)
  return found instanceof Promise
    ? found.then((entry) => among(store, primary, entry, selection))
    : among(store, primary, found, selection)
}

function among(store: Store, primary: string, found: Entry | null, selection: Selection): Place | Promise<Place> {
  const index = found === null ? null : indexOf(found)
  if (index === null) {
    const own = selection.apart === ''
    return { primary, key: primary, entry: own ? found : null, index: null, plain: own ? null : found }
  }
  const key = keyWithin(primary, index, selection)
  const place = (entry: Entry | null): Place => ({ primary, key, entry, index, plain: null })
  const entry = store.get(key)
  return entry instanceof Promise ? entry.then(place) : place(entry)
}

function keyWithin(primary: string, { names, generation }: Index, selection: Selection): string {
  const values = selectedBy(names, (name) => selection.valueOf(name))
  return variantOf(primary, digestOf(JSON.stringify([generation, selection.apart, values])))
}

// An index is an entry too, so that stores need not know of it: one with a status that no reply has.
const indexStatus = 0

function indexOf({ status, headers }: Entry): Index | null {
  if (status !== indexStatus) return null
  return { names: variesBy(lineOf(headers, 'vary')), generation: lineOf(headers, 'etag') ?? '' }
}

// More than any origin needs; a list that grows with each reply would make each request another one.
const maxNames = 12

// An index is needed by entries of any age.
const indexMs = 86_400_000

/** Stores an entry at its place. False when it varies by so much that no request would ever find it. */
export function put(store: Store, place: Place, selection: Selection, entry: Entry, keepMs: number): boolean {
  const names = variesBy(lineOf(entry.headers, 'vary'))
  if (place.index === null && selection.apart === '' && names.length === 0) {
    store.set(place.primary, entry, keepMs)
    return true
  }
  const known = place.index?.names ?? []
  const all = [...new Set([...known, ...names])].sort()
  if (all.length > maxNames || all.some((name) => ids.has(name))) return false
  const same = place.index !== null && all.length === known.length
  const index = { names: all, generation: same ? (place.index as Index).generation : randomUUID() }
  store.set(place.primary, indexEntry(index, entry), Math.max(indexMs, keepMs))
  // What stood there alone so far is one of several now.
  if (place.plain !== null) {
    const values = { apart: '', valueOf: () => undefined }
    store.set(keyWithin(place.primary, index, values), place.plain, keepMs)
  }
  store.set(keyWithin(place.primary, index, selection), entry, keepMs)
  return true
}

// They differ in each request: what varies by them is never found again.
const ids: ReadonlySet<string> = new Set(['x-request-id', 'traceparent', 'tracestate', 'grpc-timeout'])

function indexEntry({ names, generation }: Index, { requestedAt, receivedAt, tags }: Entry): Entry {
  return {
    status: indexStatus,
    headers: { vary: names.join(', '), etag: generation },
    body: new Uint8Array(),
    requestedAt,
    receivedAt,
    json: false,
    vary: {},
    tags,
    freshMs: 0,
    staleMs: 0,
    onErrorMs: 0,
  }
}

/** Reads the fields of a call by name. */
export function valueIn({ headers }: Call): Selection['valueOf'] {
  return (name) => {
    let found: string | undefined
    for (let i = 0; i < headers.length; i += 2) {
      if (headers[i] === name) found = found === undefined ? headers[i + 1] : `${found}, ${headers[i + 1]}`
    }
    return found
  }
}
