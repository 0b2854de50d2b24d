import type { Failure } from '../call/failure.ts'
import type { State } from './plan.ts'
import { type Names, lone } from './read.ts'
import { type Piece, TemplateFault, makeAll, parseText } from './reference.ts'
import { type BindText, compileText, missing } from './text.ts'

/** Where a call goes, as the operator describes it. */
export interface TargetSpec {
  readonly path: string
  /** Fields, or `{query}` for the whole query as it came. */
  readonly query?: string | Readonly<Record<string, string | number | boolean>> | undefined
}

/** Compiles what makes the path and query of a call. Throws a TemplateFault. */
export function compileTarget({ path: written, query }: TargetSpec, names: Names): (state: State) => string | Failure {
  const at = queryStart(written)
  const inPath = at === -1 ? '' : written.slice(at + 1)
  const [path, first, more] = makeAll([
    [['path'], () => compilePath(at === -1 ? written : written.slice(0, at), names)],
    [['path'], () => fieldsOf(inPath).map(([name, value]) => compileField(name, value, names, inUrl))],
    [['query'], () => compileFields(query, names)],
  ])
  const fields = [...first, ...more]
  const whole = typeof query === 'string'
  if (fields.length === 0 && !whole) return path
  return (state) => {
    let target = path(state)
    if (typeof target !== 'string') return target
    let before = '?'
    for (const field of fields) {
      const bound = field(state)
      if (bound === null) continue
      if (typeof bound !== 'string') return bound
      target += before + bound
      before = '&'
    }
    return whole && state.input.rawQuery !== '' ? `${target}${before}${state.input.rawQuery}` : target
  }
}

// A "?" within braces marks a reference as optional and does not begin the query.
function queryStart(path: string): number {
  let depth = 0
  for (let i = 0; i < path.length; i++) {
    if (path[i] === '{') depth++
    else if (path[i] === '}') depth--
    else if (path[i] === '?' && depth === 0) return i
  }
  return -1
}

function fieldsOf(text: string): [name: string, value: string | null][] {
  const fields = text.split('&').filter((field) => field !== '')
  return fields.map((field) => {
    const at = field.indexOf('=')
    return at === -1 ? [field, null] : [field.slice(0, at), field.slice(at + 1)]
  })
}

function compileFields(query: TargetSpec['query'], names: Names): BindText[] {
  if (typeof query === 'string') return wholeQuery(query)
  const fields = Object.entries(query ?? {})
  const compile = (name: string, value: string) => () => compileField(name, value, names, inComponent)
  return makeAll<BindText[]>(fields.map(([name, value]) => [[name], compile(name, String(value))]))
}

function wholeQuery(text: string): [] {
  const ref = lone(parseText(text))
  if (ref?.root === 'query' && ref.path.length === 0 && ref.fallback === null) return []
  throw new TemplateFault(
    `${JSON.stringify(text)} is not a query: write "{query}" for the whole of the client's, or a map of fields`,
  )
}

function compileField(name: string, value: string | null, names: Names, literal: (text: string) => string): BindText {
  const pieces = parseText(name)
  if (!pieces.every((piece) => typeof piece === 'string')) {
    throw new TemplateFault(
      `the name of a query field cannot be a reference; query: "{query}" passes the whole query on`,
    )
  }
  const key = literal(pieces.join(''))
  if (value === null) return () => key
  const bind = compileText(parseText(value), names, encode, literal)
  return (state) => {
    const bound = bind(state)
    return typeof bound === 'string' ? `${key}=${bound}` : bound
  }
}

/** Path templates are taken by segment, since a value must not make a segment that means something else. */
function compilePath(path: string, names: Names): (state: State) => string | Failure {
  const segments = parseText(path).reduce<Piece[][]>(
    (found, piece) => {
      const [first, ...more] = typeof piece === 'string' ? piece.split('/') : [piece]
      if (first !== '' && first !== undefined) (found.at(-1) as Piece[]).push(first)
      return [...found, ...more.map((text) => (text === '' ? [] : [text]))]
    },
    [[]],
  )
  const binds = segments.map((pieces) => compileSegment(pieces, names))
  return (state) => {
    let text = ''
    for (let i = 0; i < binds.length; i++) {
      const bound = (binds[i] as BindText)(state)
      if (typeof bound === 'object' && bound !== null) return bound
      text += i === 0 ? (bound ?? '') : `/${bound ?? ''}`
    }
    return text
  }
}

function compileSegment(pieces: readonly Piece[], names: Names): BindText {
  const refs = pieces.filter((piece) => typeof piece === 'object')
  const [first] = refs
  if (first === undefined) {
    const text = inUrl(pieces.join(''))
    return () => text
  }
  // What `*` matched keeps its slashes and its encoding: the guard has normalised it.
  const rest = refs.length === 1 && first.root === 'params' && first.path[0] === '*'
  const bind = compileText(pieces, names, rest ? (text) => text : encode, inUrl)
  const none = missing(first, names)
  return (state) => {
    const bound = bind(state)
    if (typeof bound !== 'string') return bound ?? none
    return !rest && (bound === '' || bound === '.' || bound === '..') ? none : bound
  }
}

function encode(text: string): string | null {
  return text.isWellFormed() ? encodeURIComponent(text) : null
}

/** What an operator wrote as part of a URL keeps its escapes; what cannot stand in a URL is escaped. */
function inUrl(text: string): string {
  return encodeURI(text.toWellFormed())
    .replaceAll(/%25(?=[0-9A-Fa-f]{2})/g, '%')
    .replaceAll('#', '%23')
}

/** What an operator wrote as a value is just that, whatever its characters would mean in a URL. */
function inComponent(text: string): string {
  return encodeURIComponent(text.toWellFormed())
}
