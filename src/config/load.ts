import { resolve } from 'node:path'

import { check } from './check.ts'
import { reader, type Read } from './disk.ts'
import { openDocuments } from './documents.ts'
import { sorted, type Fault, type Finding } from './fault.ts'
import { readSources, type Sources } from './include.ts'
import { interpolate } from './interpolate.ts'
import { findLater } from './later.ts'
import type { Config } from './schema.ts'
import { existing, find, findFaults, place, type Node } from './tree.ts'

/** The names that the operator wrote, faulty or not: a reference to one of them is no unknown name. */
export interface Declared {
  readonly upstreams: ReadonlySet<string>
  /** Of each route of the config that is judged. */
  readonly steps: readonly ReadonlySet<string>[]
  /** False when an included file is missing: then any upstream may be in it. */
  readonly whole: boolean
}

/** Judges what a config means. Paths are those of the config it is given. */
export type Meaning = (config: Config, declared: Declared) => Finding[]

/** What a config is read with. */
export interface Options {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly meaning?: Meaning
}

/** A config, or what is wrong with it. */
export interface Loaded {
  /** Only when there is no fault. */
  readonly config?: Config
  readonly faults: readonly Fault[]
  readonly warnings: readonly Fault[]
  /** Every file that was read, the config itself among them. */
  readonly files: readonly string[]
}

/** Reads a config file and all that it names. Never rejects: what is wrong is told as faults. */
export async function load(file: string, options: Options): Promise<Loaded> {
  const path = resolve(file)
  const files = new Set<string>()
  const read = reader(files)
  const found = read(path)
  if ('text' in found) return { ...judge(found.text, path, read, options), files: [...files] }
  const fault = { file: path, line: 1, column: 1, message: `cannot be read: ${found.why}` }
  return { faults: [fault], warnings: [], files: [...files] }
}

/** Reads the text of a config as if it lay in `file`. */
export function parse(text: string, { file, ...options }: Options & { readonly file: string }): Loaded {
  const path = resolve(file)
  const files = new Set([path])
  return { ...judge(text, path, reader(files), options), files: [...files] }
}

function judge(text: string, file: string, read: Read, { env, meaning }: Options): Omit<Loaded, 'files'> {
  const sources = readSources(text, file, { env, read })
  if (sources.tree === undefined) return { faults: sorted(sources.faults), warnings: sorted(sources.warnings) }
  const tree = openDocuments(interpolate(sources.tree, { env, read }), read)
  const known = [...findFaults(tree), ...findLater(tree)]
  const { findings, good } = check(tree, known)
  const meant = good === undefined ? [] : (meaning?.(good.config, declare(tree, good.tree, sources)) ?? [])

  const found = [...known, ...findings].map((finding) => locate(tree, finding))
  const told = (severity: string): Fault[] =>
    meant.filter((one) => one.severity === severity).map((finding) => locate(good?.tree ?? tree, finding))
  const faults = sorted([...sources.faults, ...found, ...told('fault')])
  if (faults.length > 0 || good === undefined) return { faults, warnings: sorted(sources.warnings) }
  return { config: good.config, faults, warnings: sorted([...sources.warnings, ...told('warning')]) }
}

/** A warning of meaning speaks of the whole config: it is told only when that is what was judged. */
function declare(tree: Node, kept: Node, { whole }: Sources): Declared {
  const routes = items(tree)
  const steps = items(kept).map((route) => {
    // Taking out leaves a value where it was: so its place tells which it is.
    const written = routes.find(({ at }) => at === route.at)
    return names(written && find(written, ['steps']))
  })
  return { upstreams: names(find(tree, ['upstreams'])), steps, whole }
}

function items(tree: Node): readonly Node[] {
  const routes = find(tree, ['routes'])
  return routes?.kind === 'list' ? routes.items : []
}

function names(node: Node | undefined): ReadonlySet<string> {
  return new Set(node?.kind === 'map' ? node.entries.keys() : [])
}

function locate(tree: Node, { path, message, on }: Finding): Fault {
  const node = find(tree, existing(tree, path))
  const written = node?.kind === 'scalar' ? node.written : undefined
  // What a message shows in quotes may be the value of a variable.
  const safe = written === undefined ? message : message.replace(/".*"/s, () => JSON.stringify(written))
  return { ...place(tree, path, on), message: safe }
}
