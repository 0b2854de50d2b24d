import { dirname, resolve } from 'node:path'

import type { List } from './disk.ts'
import type { Fault, Place } from './fault.ts'
import { interpolate, type Surroundings } from './interpolate.ts'
import { suggest } from './suggest.ts'
import type { Mapping, Node } from './tree.ts'
import { readYaml } from './yaml.ts'

/** A config file and those that it includes, read as one. */
export interface Sources {
  /** Absent after a syntax error: it leaves nothing that could be judged. */
  readonly tree?: Node
  /** False when a file is missing: what it would have added may be asked for. */
  readonly whole: boolean
  readonly faults: readonly Fault[]
  readonly warnings: readonly Fault[]
}

/** What an included file can add, and as what. */
const ADDED = { routes: 'list', upstreams: 'map' } as const

/** Reads the text of a config file and all files that it includes, each once. */
export function readSources(text: string, file: string, around: Surroundings & { readonly list: List }): Sources {
  const faults: Fault[] = []
  const warnings: Fault[] = []
  const tell = (at: Place, message: string): number => faults.push({ ...at, message })
  const seen = new Set<string>()
  let parsed = true
  let whole = true

  const tree = open(text, file, [])
  return { ...(parsed && tree && { tree }), whole, faults, warnings }

  /** The tree of a file, with what its includes add. */
  function open(content: string, path: string, above: readonly string[]): Node | undefined {
    seen.add(path)
    const { tree: own, faults: wrong } = readYaml(content, path)
    faults.push(...wrong)
    parsed &&= own !== undefined
    if (own?.kind !== 'map') return own
    const entries = new Map(own.entries)
    const include = entries.get('include')
    entries.delete('include')
    const added = include === undefined ? [] : follow(include.value, [...above, path])
    return added.reduce((sum, other) => join(sum, other, tell), { ...own, entries })
  }

  function follow(include: Node, above: readonly string[]): Mapping[] {
    if (include.kind === 'list') return include.items.flatMap((item) => followOne(item, above))
    tell(include.at, 'expected a list of files such as [other.yaml, teams/*.yaml]')
    return []
  }

  function followOne(item: Node, above: readonly string[]): Mapping[] {
    const name = interpolate(item, around)
    if (name.kind !== 'scalar' || typeof name.value !== 'string') {
      tell(item.at, 'expected a file such as other.yaml, or teams/*.yaml')
      return []
    }
    if (name.faults !== undefined) {
      name.faults.forEach((message) => tell(name.at, message))
      return []
    }
    const folder = dirname(name.at.file)
    const glob = /[*?[{]/.test(name.value)
    const files = glob ? around.list(name.value, folder) : [name.value]
    const shown = JSON.stringify(name.written ?? name.value)
    if (files.length === 0) warnings.push({ ...name.at, message: `no file matches ${shown}` })
    return files.flatMap((one) =>
      add(resolve(folder, one), glob ? `${one}, which ${shown} matches,` : shown, name.at, above),
    )
  }

  function add(path: string, shown: string, at: Place, above: readonly string[]): Mapping[] {
    if (above.includes(path)) tell(at, `${shown} includes this file: files cannot include each other`)
    if (seen.has(path)) return []
    const content = around.read(path)
    if ('why' in content) {
      whole = false
      tell(at, `${shown} cannot be read: ${content.why}`)
      return []
    }
    const tree = open(content.text, path, above)
    if (tree?.kind === 'map') return [onlyAdded(tree, tell)]
    if (tree !== undefined) tell(tree.at, 'expected a map with upstreams, routes or include')
    return []
  }
}

type Tell = (at: Place, message: string) => unknown

function onlyAdded(tree: Mapping, tell: Tell): Mapping {
  const known = [...Object.keys(ADDED), 'include']
  const [good, bad] = [new Map(tree.entries), [...tree.entries.keys()].filter((key) => !known.includes(key))]
  for (const key of bad) {
    const at = tree.entries.get(key)?.key ?? tree.at
    tell(at, `unknown key "${key}" in an included file, which has ${known.join(', ')}${suggest(key, known)}`)
    good.delete(key)
  }
  return { ...tree, entries: good }
}

/** Adds the routes and upstreams of one file after those of another. */
function join(into: Mapping, other: Mapping, tell: Tell): Mapping {
  const entries = new Map(into.entries)
  for (const key of ['routes', 'upstreams'] as const) {
    const [own, added] = [entries.get(key), other.entries.get(key)]
    if (added === undefined) continue
    if (own === undefined) entries.set(key, added)
    else if (added.value.kind !== ADDED[key]) tell(added.value.at, `expected a ${ADDED[key]}`)
    else entries.set(key, { ...own, value: joinValues(own.value, added.value, tell) })
  }
  return { ...into, entries }
}

function joinValues(own: Node, added: Node, tell: Tell): Node {
  if (own.kind === 'list' && added.kind === 'list') return { ...own, items: [...own.items, ...added.items] }
  // Where they differ the first is wrong, which the schema tells.
  if (own.kind !== 'map' || added.kind !== 'map') return own
  const entries = new Map(own.entries)
  for (const [name, entry] of added.entries) {
    if (entries.has(name)) tell(entry.key, `the upstream "${name}" is in another file already`)
    else entries.set(name, entry)
  }
  return { ...own, entries }
}
