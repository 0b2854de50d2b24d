import type { Call } from '../call/call.ts'
import { type Failure, failure } from '../call/failure.ts'
import { isFieldValue } from '../call/headers.ts'
import { traceparent } from '../call/trace.ts'
import { Out } from './out.ts'
import type { Bind, State, Template } from './plan.ts'
import { type Names, giverOf, lone, reader } from './read.ts'
import { type Piece, type Ref, TemplateFault, makeAll, parseText } from './reference.ts'
import { compileTemplate } from './template.ts'

/** A call as the operator describes it. */
export interface CallSpec {
  readonly method: string
  readonly path: string
  /** Fields, or `{query}` for the whole query as it came. */
  readonly query?: string | Readonly<Record<string, string | number | boolean>> | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Fields that would be sent without being written, and are not to be. */
  readonly without?: readonly string[] | undefined
  readonly body?: Template | undefined
}

/** What a text template came to: text, null when it is to be left out, or what is missing. */
type Bound = string | null | Failure
type BindText = (state: State) => Bound

/** Compiles what makes the call of a step. Throws a TemplateFault. */
export function compileBind(spec: CallSpec, names: Names, accept: Call['accept'], decode: 'json' | 'text'): Bind {
  const [path, headers, body] = makeAll([
    [[], () => compileTarget(spec, names)],
    [['headers'], () => compileHeaders(spec, names, decode)],
    [['body'], () => (spec.body === undefined ? null : compileBody(spec.body, names))],
  ])
  return (state) => {
    const target = path(state)
    if (typeof target !== 'string') return target
    const fields = headers(state)
    if ('ok' in fields) return fields
    const bytes = body === null ? null : body(state)
    if (bytes !== null && 'ok' in bytes) return bytes
    const sent = bytes === null && body !== null ? withoutType(fields) : fields
    return { method: spec.method, path: target, headers: sent, body: bytes, accept, decode }
  }
}

// A body that the client may leave out is of no type when it does.
function withoutType(headers: readonly string[]): string[] {
  return headers.filter((_, i) => headers[i - (i % 2)] !== 'content-type')
}

/** Compiles what makes the path and query of a call. Throws a TemplateFault. */
export function compileTarget(
  { path: written, query }: Pick<CallSpec, 'path' | 'query'>,
  names: Names,
): (state: State) => string | Failure {
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

function compileFields(query: CallSpec['query'], names: Names): BindText[] {
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

/** A value's form at its place, null for one that cannot stand there. */
type Shape = (text: string) => string | null

function compileText(
  pieces: readonly Piece[],
  names: Names,
  shape: Shape,
  literal: (text: string) => string = (text) => text,
): BindText {
  const parts = pieces.map((piece) => {
    return typeof piece === 'string' ? { text: literal(piece) } : { bind: compileValue(piece, names, shape) }
  })
  return (state) => {
    let text = ''
    for (const part of parts) {
      if ('text' in part) {
        text += part.text
        continue
      }
      const bound = part.bind(state)
      if (typeof bound !== 'string') return bound
      text += bound
    }
    return text
  }
}

function compileValue(ref: Ref, names: Names, shape: Shape): BindText {
  const read = reader(ref, names, false)
  const none = missing(ref, names)
  return (state) => {
    const value = read(state) ?? null
    if (value === null) return ref.optional ? null : none
    // CR, LF and NUL are refused even where they would be encoded: nobody sends them to a good end.
    if (typeof value === 'object' || (typeof value === 'string' && /[\r\n\0]/.test(value))) return none
    return shape(String(value)) ?? none
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

function missing(ref: Ref, names: Names): Failure {
  return { ...failure('bind_missing', `{${ref.text}} cannot be bound`), from: giverOf(ref, names), ref: ref.text }
}

function compileHeaders(spec: CallSpec, names: Names, decode: 'json' | 'text') {
  const own = compileOwn(spec.headers ?? {}, names)
  const isOurs = (name: string): boolean => !own.some((one) => one.name === name) && !spec.without?.includes(name)
  const standard: [string, string][] = [
    ['accept', decode === 'json' ? 'application/json' : '*/*'],
    // Within a data centre bandwidth is cheaper than the loop's time: we do not ask for compression.
    ['accept-encoding', 'identity'],
    ['user-agent', 'oneloop'],
    ['via', '1.1 oneloop'],
    ...(spec.body === undefined ? [] : [['content-type', 'application/json'] as [string, string]]),
  ]
  const fixed = standard.filter(([name]) => isOurs(name)).flat()
  const binds = own.filter((one) => 'bind' in one)
  for (const one of own) if ('text' in one) fixed.push(one.name, one.text)
  const tellsId = isOurs('x-request-id')
  const tellsTrace = isOurs('traceparent')
  return (state: State): string[] | Failure => {
    const headers = fixed.slice()
    if (tellsId) headers.push('x-request-id', state.input.requestId)
    for (const { name, bind } of binds) {
      const bound = bind(state)
      if (typeof bound === 'string') headers.push(name, bound)
      else if (bound !== null) return bound
    }
    // Last, so that calls can be compared without it, as it differs in each (see sameCall).
    if (tellsTrace) headers.push('traceparent', traceparent(state.input.trace))
    return headers
  }
}

/** A header field as the operator writes it: the same for all calls, or bound for each. */
type Field = { readonly name: string } & ({ readonly text: string } | { readonly bind: BindText })

function compileOwn(headers: Readonly<Record<string, string>>, names: Names): Field[] {
  const compile = (written: string, value: string) => (): Field => {
    const name = written.toLowerCase()
    const pieces = parseText(value)
    if (pieces.every((piece) => typeof piece === 'string')) return { name, text: pieces.join('') }
    return { name, bind: compileText(pieces, names, (text) => (isFieldValue(text) ? text : null)) }
  }
  return makeAll<Field[]>(Object.entries(headers).map(([name, value]) => [[name], compile(name, value)]))
}

/** Whether two calls to one upstream are the same call: all is the same but the span that each is. */
export function sameCall(one: Call, other: Call): boolean {
  const { length } = one.headers
  if (one.path !== other.path || length !== other.headers.length) return false
  const compared = one.headers.at(-2) === 'traceparent' ? length - 2 : length
  for (let i = 0; i < compared; i++) if (one.headers[i] !== other.headers[i]) return false
  return true
}

/** Gives the bytes of a body, null where there is none and need not be. */
function compileBody(template: Template, names: Names): (state: State) => Uint8Array | null | Failure {
  const ref = typeof template === 'string' ? lone(parseText(template)) : null
  const asItCame = ref !== null && ref.root === 'body' && ref.path.length === 0
  const without = ref === null || ref.optional ? null : missing(ref, names)
  const node = compileTemplate(template, names, true)
  return (state) => {
    if (asItCame && state.input.bodyBytes !== null) return state.input.bodyBytes
    if (ref !== null && node.leaves?.(state) === true) return without
    const out = new Out()
    node.write(state, out)
    const whole = out.whole()
    return typeof whole === 'string' ? Buffer.from(whole) : whole
  }
}
