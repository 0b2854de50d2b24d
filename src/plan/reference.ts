/** One `{…}` of a template: where a value comes from, and what stands for it when there is none. */
export interface Ref {
  /** As it was written, without braces. */
  readonly text: string
  readonly root: string
  /** With `@status` or `@headers`: that of the step's reply instead of its body. */
  readonly meta: 'status' | 'headers' | null
  readonly path: readonly string[]
  /** What stands after `|`, or null. */
  readonly fallback: string | null
  /** Whether a `?` ends it: leave the field or key out when there is no value. */
  readonly optional: boolean
}

/** What a template string is made of: text and references in turn. */
export type Piece = string | Ref

/** What is wrong with a part of a template, and where in the template that part stands. */
export interface FaultAt {
  readonly path: readonly (string | number)[]
  readonly message: string
}

/** Says what is wrong with a template, in words for the operator: all its faults, each with its place. */
export class TemplateFault extends Error {
  readonly faults: readonly FaultAt[]
  constructor(faults: string | readonly FaultAt[]) {
    const all = typeof faults === 'string' ? [{ path: [], message: faults }] : faults
    super(all.map(({ message }) => message).join('\n'))
    this.faults = all
  }
}

/** Makes the parts of a template, each with its place; throws one TemplateFault that tells the faults of all. */
export function makeAll<T extends readonly unknown[] | []>(parts: {
  readonly [K in keyof T]: readonly [path: FaultAt['path'], make: () => T[K]]
}): T {
  const faults: FaultAt[] = []
  const made = parts.map(([path, make]) => {
    try {
      return make()
    } catch (error) {
      if (!(error instanceof TemplateFault)) throw error
      faults.push(...error.faults.map((fault) => ({ ...fault, path: [...path, ...fault.path] })))
      return null
    }
  })
  if (faults.length > 0) throw new TemplateFault(faults)
  return made as unknown as T
}

const token = /\{\{|\}\}|[{}]/g
const refForm = /^([A-Za-z][\w-]*)(?:@(status|headers))?((?:\.[^\s.[\]{}|?@'"]+|\['[^']*'\])*)(\?)?$/
// A reference as far as its default: a key in quotes may hold what would end it elsewhere, {a['|}']}.
const head = /(?:\['[^']*'\]|[^{}|])*/y
const stepForm = /\.([^\s.[\]{}|?@'"]+)|\['([^']*)'\]/g

/** Takes a template string apart; `{{` and `}}` are literal braces. Throws a TemplateFault. */
export function parseText(text: string): Piece[] {
  const pieces: Piece[] = []
  let literal = ''
  let from = 0
  token.lastIndex = 0
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    literal += text.slice(from, match.index)
    const brace = match[0]
    from = token.lastIndex
    if (brace === '{{' || brace === '}}') literal += brace.charAt(0)
    else if (brace === '}')
      throw new TemplateFault(`a "}" without "{" in ${quote(text)}; a literal brace is written "}}"`)
    else {
      const end = closing(text, from)
      if (literal !== '') pieces.push(literal)
      literal = ''
      pieces.push(parseRef(text.slice(from, end)))
      from = token.lastIndex = end + 1
    }
  }
  literal += text.slice(from)
  if (literal !== '') pieces.push(literal)
  return pieces
}

// A default may hold braces of its own: {body.options|{}}.
function closing(text: string, from: number): number {
  let depth = 0
  for (let i = endOfHead(text, from); i < text.length; i++) {
    if (text[i] === '{') depth++
    else if (text[i] === '}' && depth-- === 0) return i
  }
  throw new TemplateFault(`a "{" without "}" in ${quote(text)}; a literal brace is written "{{"`)
}

function endOfHead(text: string, from: number): number {
  head.lastIndex = from
  head.test(text)
  return head.lastIndex
}

/** Reads one reference, written without braces. Throws a TemplateFault. */
export function parseRef(written: string): Ref {
  const bar = endOfHead(written, 0)
  const text = written.slice(0, bar)
  const match = refForm.exec(text)
  if (match === null) throw new TemplateFault(`${quote(`{${written}}`)} is not a reference such as {params.code}`)
  const [, root = '', meta, path = '', optional] = match
  return {
    text: written,
    root,
    meta: (meta as Ref['meta'] | undefined) ?? null,
    path: [...path.matchAll(stepForm)].map(([, name, key]) => name ?? key ?? ''),
    fallback: bar === written.length ? null : written.slice(bar + 1),
    optional: optional !== undefined,
  }
}

function quote(text: string): string {
  return JSON.stringify(text)
}
