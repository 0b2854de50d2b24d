import { type Piece, type Ref, TemplateFault, parseRef, parseText } from './reference.ts'
import type { State } from './plan.ts'

/** Reads a value while a request runs; undefined when there is none. */
export type Read = (state: State) => unknown

/** What a template may refer to at its place in the config. */
export interface Names {
  /** The place of the step that a reference reads from, or undefined when the route has none of that name. */
  step(ref: Ref): number | undefined
  /** All step names, for a suggestion. */
  readonly steps: readonly string[]
  /** The parameters of the route's path. */
  readonly params: readonly string[]
  /** Who gives the items of an each, or null where `{item}` and `{index}` mean nothing. */
  readonly item: 'client' | 'reply' | null
  /** Words a suggestion for a near miss, or gives ''. */
  suggest(word: string, among: readonly string[]): string
}

/** The names that are not steps. */
const clientRoots: readonly string[] = ['params', 'query', 'headers', 'cookies', 'body', 'auth']

/** Whether a value is the client's own. */
export function isFromClient(ref: Ref): boolean {
  return clientRoots.includes(ref.root)
}

/** Tells who was to give a value that is absent. */
export function giverOf(ref: Ref, names: Names): 'client' | 'reply' {
  return isFromClient(ref) || (ref.root === 'item' && names.item === 'client') ? 'client' : 'reply'
}

/** Makes the reader of a reference. A default is text, or in JSON (`asJson`) what it means as JSON. */
export function reader(ref: Ref, names: Names, asJson: boolean): Read {
  const read = withoutDefault(ref, names)
  if (ref.fallback === null) return read
  const fallback = asJson ? literal(ref.fallback) : ref.fallback
  return (state) => read(state) ?? fallback
}

function literal(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Not JSON, so it is text: {query.lang|en}
    return text
  }
}

function withoutDefault(ref: Ref, names: Names): Read {
  const place = names.step(ref)
  if (place !== undefined) return ofStep(ref, place)
  if (ref.meta !== null) throw new TemplateFault(`@${ref.meta} is of a step's reply, and "${ref.root}" is not a step`)
  const { root, path } = ref
  if (root === 'item' || root === 'index') {
    if (names.item === null) throw new TemplateFault(`{${ref.text}} means something only within an each`)
    if (root === 'item') return (state) => valueAt(state.item, path)
    if (path.length > 0) throw new TemplateFault(`{${ref.text}} has no parts: an index is a number`)
    return (state) => state.index
  }
  if (root === 'body') return (state) => valueAt(state.input.body, path)
  if (root === 'auth') throw new TemplateFault('auth is not yet supported')
  if (clientRoots.includes(root)) return ofClient(ref, names)
  throw new TemplateFault(`no step "${root}"${names.suggest(root, [...names.steps, ...clientRoots])}`)
}

function ofStep({ meta, path, text }: Ref, place: number): Read {
  if (meta === 'status') {
    if (path.length > 0) throw new TemplateFault(`{${text}} has no parts: a status is a number`)
    return (state) => state.parts[place]?.status
  }
  if (meta === null) return (state) => valueAt(state.parts[place]?.value(), path)
  const [name, ...more] = path
  if (name === undefined || more.length > 0) throw new TemplateFault(`{${text}} must name one header field`)
  const lower = name.toLowerCase()
  return (state) => {
    const headers = state.parts[place]?.headers
    if (headers === undefined || !Object.hasOwn(headers, lower)) return undefined
    const field = headers[lower]
    return typeof field === 'object' ? field.join(', ') : field
  }
}

function ofClient({ root, path, text }: Ref, names: Names): Read {
  const [name, ...more] = path
  if (name === undefined && root === 'query') return (state) => Object.fromEntries(fields(state.input.rawQuery))
  if (name === undefined || more.length > 0) throw new TemplateFault(`{${text}} must name one field of ${root}`)
  if (root === 'params') {
    if (!names.params.includes(name))
      throw new TemplateFault(`the path has no parameter "${name}"${names.suggest(name, names.params)}`)
    return (state) => state.input.param(name)
  }
  if (root === 'query') return (state) => state.input.query(name)
  const lower = name.toLowerCase()
  return root === 'headers' ? (state) => state.input.header(lower) : (state) => state.input.cookie(name)
}

/** Gives the fields of a query by name; a repeated field counts with its first value. */
export function fields(rawQuery: string): Map<string, string> {
  const found = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(rawQuery)) if (!found.has(name)) found.set(name, value)
  return found
}

/** Follows a path into JSON: own keys of objects and places of arrays, nothing that JavaScript adds to them. */
export function valueAt(value: unknown, path: readonly string[]): unknown {
  let at = value
  for (const name of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined
    if (Array.isArray(at) && name === 'length') return undefined
    at = (at as Record<string, unknown>)[name]
  }
  return at
}

/** Takes the braces off a reference that an operator wrote with or without them. Throws a TemplateFault. */
export function loneRef(written: string): Ref {
  const pieces = written.includes('{') ? parseText(written) : [parseRef(written)]
  const ref = lone(pieces)
  if (ref === null) throw new TemplateFault(`${JSON.stringify(written)} must be one reference`)
  return ref
}

/** The reference that a template string consists of, or null when there is text about it. */
export function lone(pieces: readonly Piece[]): Ref | null {
  const [only, ...more] = pieces
  return more.length === 0 && typeof only === 'object' ? only : null
}
