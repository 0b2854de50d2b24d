import type { State, Template } from './plan.ts'
import { type Names, type Read, giverOf, loneRef, lone, reader } from './read.ts'
import { type Piece, type Ref, TemplateFault, makeAll, parseText } from './reference.ts'
import { type Out, jsonOf } from './out.ts'

/** A template, compiled: it can be written out as JSON or give its value. */
export interface Node {
  /** The value, undefined when it has none; a mapping is a Map. */
  value(state: State): unknown
  /** Writes the JSON of the value, null when it has none. */
  write(state: State, out: Out): void
  /** The JSON when it is the same for all requests. */
  readonly fixed?: string
  /** Whether the template's key is to be left out for want of a value. */
  readonly leaves?: (state: State) => boolean
}

/**
 * Compiles a template of JSON. What has no value is null in a response; with `omits`, as in a call's body, its key
 * is left out instead. Throws a TemplateFault.
 */
export function compileTemplate(template: Template, names: Names, omits = false): Node {
  if (typeof template === 'string') return compileString(template, names, omits)
  if (template instanceof Map) return compileMap(template as ReadonlyMap<string, Template>, names, omits)
  if (Array.isArray(template)) return arrayOf(compileList(template as readonly Template[], [], names, omits))
  return fixed(template)
}

function compileList(
  list: readonly Template[],
  path: readonly string[],
  names: Names,
  omits: boolean,
): readonly Node[] {
  return makeAll<Node[]>(list.map((one, i) => [[...path, i], () => compileTemplate(one, names, omits)]))
}

function fixed(value: unknown): Node {
  const text = jsonOf(value)
  return { fixed: text, value: () => value, write: (_, out) => out.text(text) }
}

function compileString(text: string, names: Names, omits: boolean): Node {
  const pieces = parseText(text)
  const ref = lone(pieces)
  if (ref !== null) return refNode(ref, names, omits)
  if (pieces.every((piece) => typeof piece === 'string')) return fixed(pieces.join(''))
  return computed(textReader(pieces, names, omits), true)
}

/** Reads a text: null when a value in it is null or absent, undefined when its key is to be left out for that. */
function textReader(pieces: readonly Piece[], names: Names, omits: boolean): Read {
  const parts = pieces.map((piece) => {
    if (typeof piece === 'string') return { read: () => piece, without: null }
    return { read: reader(piece, names, false), without: omits || piece.optional ? undefined : null }
  })
  return (state) => {
    let text = ''
    for (const { read, without } of parts) {
      const value = read(state) ?? null
      if (value === null) return without
      text += typeof value === 'string' ? value : jsonOf(value)
    }
    return text
  }
}

function refNode(ref: Ref, names: Names, omits: boolean): Node {
  const read = reader(ref, names, true)
  const node = computed(read, omits || ref.optional)
  const place = names.step(ref)
  if (place === undefined || ref.path.length > 0 || ref.meta !== null || ref.fallback !== null) return node
  // A reply embedded whole is spliced as it came, without ever being parsed.
  const write: Node['write'] = (state, out) => out.piece(state.parts[place]?.json() ?? 'null')
  const leaves = node.leaves && ((state: State) => !(state.parts[place]?.present ?? false))
  return { ...node, write, ...(leaves && { leaves }) }
}

function computed(value: Read, leavesOut: boolean): Node {
  const write: Node['write'] = (state, out) => out.text(jsonOf(value(state)))
  if (!leavesOut) return { value, write }
  return { value, write, leaves: (state) => value(state) === undefined }
}

function arrayOf(items: readonly Node[]): Node {
  const write: Node['write'] = (state, out) => {
    out.text('[')
    items.forEach((item, i) => {
      if (i > 0) out.text(',')
      item.write(state, out)
    })
    out.text(']')
  }
  return settled({ value: (state) => items.map((item) => item.value(state) ?? null), write }, items)
}

function compileMap(map: ReadonlyMap<string, Template>, names: Names, omits: boolean): Node {
  const special = [...map.keys()].find((key) => key.startsWith('$'))
  if (special !== undefined) return compileSpecial(special, map, names, omits)
  const compile = (one: Template) => (): Node => compileTemplate(one, names, omits)
  const nodes = makeAll<Node[]>([...map].map(([key, one]) => [[key], compile(one)]))
  const entries = [...map.keys()].map((key, i) => ({ key, node: nodes[i] as Node }))
  const keys = entries.map(({ key }) => `${JSON.stringify(key)}:`)
  const write: Node['write'] = (state, out) => {
    let before = '{'
    entries.forEach(({ node }, i) => {
      if (node.leaves?.(state) === true) return
      out.text(before + keys[i])
      node.write(state, out)
      before = ','
    })
    out.text(before === '{' ? '{}' : '}')
  }
  const value = (state: State): unknown => {
    const kept = entries.filter(({ node }) => node.leaves?.(state) !== true)
    return new Map(kept.map(({ key, node }) => [key, node.value(state) ?? null]))
  }
  return settled({ value, write }, nodes)
}

/** A node whose parts are all fixed is fixed as a whole. */
function settled(node: Node, parts: readonly Node[]): Node {
  if (!parts.every((part) => part.fixed !== undefined)) return node
  return fixed(node.value({} as State))
}

function compileSpecial(word: string, map: ReadonlyMap<string, Template>, names: Names, omits: boolean): Node {
  const known = ['$each', '$concat', '$spread']
  if (!known.includes(word)) throw new TemplateFault(`unknown "${word}"${names.suggest(word, known)}`)
  const others = [...map.keys()].filter((key) => key !== word && !(word === '$each' && key === 'as'))
  if (others.length > 0) throw new TemplateFault(`"${others[0]}" cannot stand beside ${word}`)
  const of = map.get(word)
  if (word === '$each') return each(of, map.get('as'), names, omits)
  if (!Array.isArray(of)) throw new TemplateFault(`${word} needs a list`)
  const nodes = compileList(of as readonly Template[], [word], names, omits)
  return word === '$concat' ? concat(nodes) : spread(nodes)
}

function each(array: Template | undefined, as: Template | undefined, names: Names, omits: boolean): Node {
  if (typeof array !== 'string') throw new TemplateFault('$each needs one reference to an array')
  if (as === undefined) throw new TemplateFault('$each needs "as": what to make of each item')
  const [ref] = makeAll([[['$each'], () => loneRef(array)]])
  const [read, node] = makeAll([
    [['$each'], () => reader(ref, names, true)],
    [['as'], () => compileTemplate(as, { ...names, item: giverOf(ref, names) }, omits)],
  ])
  const states = (state: State): State[] | null => {
    const items = read(state)
    return Array.isArray(items) ? items.map((item: unknown, index) => ({ ...state, item, index })) : null
  }
  return {
    ...((omits || ref.optional) && { leaves: (state) => read(state) === undefined }),
    value: (state) => states(state)?.map((one) => node.value(one) ?? null) ?? null,
    write(state, out) {
      const all = states(state)
      if (all === null) return out.text('null')
      out.text('[')
      all.forEach((one, i) => {
        if (i > 0) out.text(',')
        node.write(one, out)
      })
      out.text(']')
    },
  }
}

// What is not an array is skipped as null is: there is nothing in it to join.
function concat(nodes: readonly Node[]): Node {
  return computed((state) => nodes.flatMap((node) => arrayFrom(node.value(state))), false)
}

function arrayFrom(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function spread(nodes: readonly Node[]): Node {
  return computed((state) => new Map(nodes.flatMap((node) => entriesOf(node.value(state)))), false)
}

function entriesOf(value: unknown): [string, unknown][] {
  if (value instanceof Map) return [...(value as Map<string, unknown>)]
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : []
}
