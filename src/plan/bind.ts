import type { Call } from '../call/call.ts'
import { type Failure, failure } from '../call/failure.ts'
import { isFieldValue } from '../call/headers.ts'
import { traceparent } from '../call/trace.ts'
import { Out } from './out.ts'
import type { Bind, State, Template } from './plan.ts'
import { type Names, type Read, isFromClient, lone, reader } from './read.ts'
import { type Piece, type Ref, parseText } from './reference.ts'
import { compileTemplate } from './template.ts'

/** A call as the operator describes it. */
export interface CallSpec {
  readonly method: string
  readonly path: string
  /** Fields, or `{query}` for the whole query as it came. */
  readonly query?: string | Readonly<Record<string, string | number | boolean>> | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: Template | undefined
}

/** What a text template came to: text, null when it is to be left out, or what is missing. */
type Bound = string | null | Failure
type BindText = (state: State) => Bound

/** Compiles what makes the call of a step. Throws a TemplateFault. */
export function compileBind(spec: CallSpec, names: Names, accept: Call['accept'], decode: 'json' | 'text'): Bind {
  const path = compileTarget(spec, names)
  const headers = compileHeaders(spec, names, decode)
  const body = spec.body === undefined ? null : compileBody(spec.body, names)
  return (state) => {
    const target = path(state)
    if (typeof target !== 'string') return target
    const fields = headers(state)
    if (!Array.isArray(fields)) return fields as Failure
    const bytes = body === null ? null : body(state)
    if (bytes !== null && 'ok' in bytes) return bytes
    return { method: spec.method, path: target, headers: fields as string[], body: bytes, accept, decode }
  }
}

/** Compiles what makes the path and query of a call. Throws a TemplateFault. */
export function compileTarget(spec: Pick<CallSpec, 'path' | 'query'>, names: Names): (state: State) => string | Failure {
  const at = queryStart(spec.path)
  const path = compilePath(at === -1 ? spec.path : spec.path.slice(0, at), names)
  const inPath = at === -1 ? [] : spec.path.slice(at + 1).split('&').map(fieldOf)
  const whole = spec.query === '{query}'
  const beside = typeof spec.query === 'object' ? Object.entries(spec.query) : []
  const fields = [...inPath, ...beside].map(([name, value]) => compileField(name, String(value), names))
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

function fieldOf(text: string): [string, string] {
  const at = text.indexOf('=')
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}

function compileField(name: string, value: string, names: Names): BindText {
  const bind = compileText(parseText(value), names, encode)
  const key = `${encodeURIComponent(decodeURIComponent(name))}=`
  return (state) => {
    const bound = bind(state)
    return typeof bound === 'string' ? key + bound : bound
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
    const text = encodeURI(pieces.join('')).replaceAll('%25', '%')
    return () => text
  }
  // What `*` matched keeps its slashes and its encoding: the guard has normalised it.
  const rest = refs.length === 1 && first.root === 'params' && first.path[0] === '*'
  const bind = compileText(pieces, names, rest ? (text) => text : encode)
  return (state) => {
    const bound = bind(state)
    if (typeof bound !== 'string') return bound ?? missing(first)
    return !rest && (bound === '' || bound === '.' || bound === '..') ? missing(first) : bound
  }
}

function compileText(pieces: readonly Piece[], names: Names, shape: (text: string) => string | null): BindText {
  const parts = pieces.map((piece) => {
    if (typeof piece === 'string') return { text: piece }
    return { ref: piece, read: reader(piece, names, false) }
  })
  return (state) => {
    let text = ''
    for (const part of parts) {
      if ('text' in part) {
        text += part.text
        continue
      }
      const bound = bindOne(part.ref, part.read, state, shape)
      if (typeof bound !== 'string') return bound
      text += bound
    }
    return text
  }
}

function bindOne(ref: Ref, read: Read, state: State, shape: (text: string) => string | null): Bound {
  const value = read(state) ?? null
  if (value === null) return ref.optional ? null : missing(ref)
  // CR, LF and NUL are refused even where they would be encoded: nobody sends them to a good end.
  if (typeof value === 'object' || (typeof value === 'string' && /[\r\n\0]/.test(value))) return missing(ref)
  return shape(String(value)) ?? missing(ref)
}

function encode(text: string): string | null {
  return text.isWellFormed() ? encodeURIComponent(text) : null
}

function missing(ref: Ref): Failure {
  const from = isFromClient(ref) ? 'client' : 'reply'
  return { ...failure('bind_missing', `{${ref.text}} cannot be bound`), from, ref: ref.text }
}

function compileHeaders(spec: CallSpec, names: Names, decode: 'json' | 'text') {
  const own = Object.entries(spec.headers ?? {}).map(([name, value]) => [name.toLowerCase(), parseText(value)] as const)
  const standard: [string, string][] = [
    ['accept', decode === 'json' ? 'application/json' : '*/*'],
    // Within a data centre bandwidth is cheaper than the loop's time: we do not ask for compression.
    ['accept-encoding', 'identity'],
    ['user-agent', 'oneloop'],
    ['via', '1.1 oneloop'],
    ...(spec.body === undefined ? [] : [['content-type', 'application/json'] as [string, string]]),
  ]
  const fixed = standard.filter(([name]) => !own.some(([one]) => one === name)).flat()
  const binds: (readonly [string, BindText])[] = []
  for (const [name, pieces] of own) {
    if (pieces.every((piece) => typeof piece === 'string')) fixed.push(name, pieces.join(''))
    else binds.push([name, compileText(pieces, names, (text) => (isFieldValue(text) ? text : null))])
  }
  return (state: State): string[] | Failure => {
    const headers = fixed.slice()
    for (const [name, bind] of binds) {
      const bound = bind(state)
      if (typeof bound === 'string') headers.push(name, bound)
      else if (bound !== null) return bound
    }
    // Last, so that calls can be compared without what differs in each (see sameCall).
    headers.push('traceparent', traceparent(state.input.trace), 'x-request-id', state.input.requestId)
    return headers
  }
}

/** Whether two calls to one upstream are the same call: all is the same but the fields that differ in each. */
export function sameCall(one: Call, other: Call): boolean {
  const { length } = one.headers
  if (one.path !== other.path || length !== other.headers.length) return false
  for (let i = 0; i < length - 4; i++) if (one.headers[i] !== other.headers[i]) return false
  return true
}

function compileBody(template: Template, names: Names): (state: State) => Uint8Array | Failure {
  const ref = typeof template === 'string' ? lone(parseText(template)) : null
  if (ref !== null && ref.root === 'body' && ref.path.length === 0) {
    // Told though nothing is read by it: it is how the route learns that the body is needed.
    names.step(ref)
    return (state) => state.input.bodyBytes ?? missing(ref)
  }
  const node = compileTemplate(template, names, true)
  return (state) => {
    if (ref !== null && node.leaves?.(state) === true) return missing(ref)
    const out = new Out()
    node.write(state, out)
    const whole = out.whole()
    return typeof whole === 'string' ? Buffer.from(whole) : whole
  }
}
