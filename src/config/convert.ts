import { isAlias, isMap, isScalar, isSeq, type Pair, type YAMLMap } from 'yaml'

import type { Place } from './fault.ts'
import type { Entry, Mapping, Node, Scalar } from './tree.ts'

/** Deeper than anybody writes, and shallow enough for what walks a tree by recursion. */
const MOST_DEPTH = 100

/** Aliases of aliases grow as powers: no config has this many values. */
const MOST_ALIASED = 100_000

/** Turns what the YAML library read into a tree: aliases followed, merge keys merged, every place known. */
export function convert(
  contents: unknown,
  at: (offset: number) => Place,
  tell: (place: Place, message: string) => void,
): Node {
  const anchors = new Map<string, { node: Node; size: number }>()
  let depth = 0
  let size = 0
  let aliased = 0
  return node(contents)

  function node(source: unknown): Node {
    const before = size
    size += 1
    depth += 1
    const made = depth > MOST_DEPTH ? refuse(start(source), `nested more than ${MOST_DEPTH} deep`) : read(source)
    depth -= 1
    // Known only once its value has been read: so no value can contain itself.
    const anchor = (source as { anchor?: string } | null)?.anchor
    if (anchor !== undefined) anchors.set(anchor, { node: made, size: size - before })
    return made
  }

  function read(source: unknown): Node {
    if (isAlias(source)) return follow(source.source, start(source))
    if (isSeq(source)) return { kind: 'list', at: start(source), items: source.items.map(node) }
    if (isMap(source)) return reference(source) ?? mapping(source)
    const value = isScalar(source) ? source.value : null
    if (typeof value === 'number' && !Number.isFinite(value)) return refuse(start(source), 'expected a number of JSON')
    return { kind: 'scalar', at: start(source), value }
  }

  function follow(name: string, place: Place): Node {
    const target = anchors.get(name)
    if (target === undefined) return refuse(place, `there is no anchor "${name}" before this`)
    const told = aliased > MOST_ALIASED
    size += target.size
    aliased += target.size
    if (aliased <= MOST_ALIASED) return target.node
    return told ? { ...refuse(place), faults: [] } : refuse(place, `aliases stand for more than ${MOST_ALIASED} values`)
  }

  function mapping(source: YAMLMap): Mapping {
    const entries = new Map<string, Entry>()
    const own = new Set<string>()
    for (const pair of source.items) {
      const key = start(pair.key)
      const name = nameOf(pair)
      const wrong = wrongKey(name, own)
      if (wrong !== undefined) tell(key, wrong)
      else if (isMerge(pair)) merge(entries, node(pair.value))
      else {
        own.add(name as string)
        entries.set(name as string, { key, value: valueOf(pair, source.flow === true, key) })
      }
    }
    return { kind: 'map', at: start(source), entries }
  }

  function valueOf(pair: Pair, flow: boolean, key: Place): Node {
    if (pair.value !== null) return node(pair.value)
    return flow ? refuse(key, `"${nameOf(pair)}" has no value`) : { kind: 'scalar', at: key, value: null }
  }

  /** What a mapping says itself wins, wherever it stands; of several merged, the first. */
  function merge(into: Map<string, Entry>, merged: Node): void {
    if (merged.kind === 'list') merged.items.forEach((item) => merge(into, item))
    else if (merged.kind === 'scalar') tell(merged.at, 'expected a map to merge, or a list of maps')
    else for (const [name, entry] of merged.entries) if (!into.has(name)) into.set(name, entry)
  }

  /** `{country}` is a map with a null to YAML, and a reference to whoever wrote it: it is told, and read as meant. */
  function reference(source: YAMLMap): Scalar | undefined {
    const [pair, ...others] = source.items
    if (source.flow !== true || pair?.value !== null || others.length > 0) return undefined
    const value = `{${nameOf(pair) ?? ''}}`
    tell(start(source), `write "${value}"`)
    return { kind: 'scalar', at: start(source), value }
  }

  function refuse(place: Place, ...faults: string[]): Scalar {
    return { kind: 'scalar', at: place, value: null, faults }
  }

  function start(source: unknown): Place {
    return at((source as { range?: [number] } | null)?.range?.[0] ?? 0)
  }
}

function wrongKey(name: string | undefined, own: ReadonlySet<string>): string | undefined {
  if (name === undefined) return 'a key must be text; text that begins with a brace needs quotes'
  // As a key of a plain object it would replace the object's prototype.
  if (name === '__proto__') return '"__proto__" cannot be a key'
  return own.has(name) ? `"${name}" is written twice` : undefined
}

/** The key as written: `1.10` must not become `1.1`. */
function nameOf({ key }: Pair): string | undefined {
  return isScalar(key) ? (key.source ?? String(key.value)) : undefined
}

function isMerge({ key }: Pair): boolean {
  return isScalar(key) && key.value === '<<' && key.type === 'PLAIN'
}
