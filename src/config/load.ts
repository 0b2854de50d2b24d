import { resolve } from 'node:path'

import { check } from './check.ts'
import { openDisk, type Disk, type Sight } from './disk.ts'
import { openDocuments } from './documents.ts'
import { sorted, type Fault, type Finding } from './fault.ts'
import { readSources, type Sources } from './include.ts'
import { interpolate } from './interpolate.ts'
import { findLater } from './later.ts'
import type { Config } from './schema.ts'
import { existing, find, findFaults, findFilled, placeOf, type Node } from './tree.ts'

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
  /** All that was looked at on disk, and how it was then. */
  readonly sights: readonly Sight[]
  /** Tells of the place where the operator wrote what a path of the config leads to. */
  readonly locate: (path: Finding['path'], message: string) => Fault
}

/** Reads a config file and all that it names. Never rejects: what is wrong is told as faults. */
export async function load(file: string, options: Options): Promise<Loaded> {
  const path = resolve(file)
  const disk = openDisk()
  const found = disk.read(path)
  const locate = nowhere(path)
  const judged =
    'text' in found
      ? judge(found.text, path, disk, options)
      : { faults: [locate([], `cannot be read: ${found.why}`)], warnings: [], locate }
  return { ...judged, files: [...disk.files], sights: disk.sights }
}

/** Reads the text of a config as if it lay in `file`. */
export function parse(text: string, { file, ...options }: Options & { readonly file: string }): Loaded {
  const path = resolve(file)
  const disk = openDisk()
  const judged = judge(text, path, disk, options)
  return { ...judged, files: [path, ...disk.files], sights: disk.sights }
}

function judge(text: string, file: string, disk: Disk, { env, meaning }: Options): Omit<Loaded, 'files' | 'sights'> {
  const { read } = disk
  const sources = readSources(text, file, { env, ...disk })
  const warnings = sorted(sources.warnings)
  if (sources.tree === undefined) return { faults: sorted(sources.faults), warnings, locate: nowhere(file) }
  const tree = openDocuments(interpolate(sources.tree, { env, read }), read)
  const known = [...findFaults(tree), ...findLater(tree)]
  const { findings, good } = check(tree, known)
  const meant = good === undefined ? [] : (meaning?.(good.config, declare(tree, good.tree, sources)) ?? [])

  const kept = good?.tree ?? tree
  const wrong = (one: Finding): boolean => one.severity === 'fault'
  const faults = sorted([
    ...sources.faults,
    ...[...known, ...findings].map((one) => place(tree, one)),
    ...meant.filter(wrong).map((one) => place(kept, one)),
  ])
  const told = { locate: (path: Finding['path'], message: string) => place(kept, { path, message }) }
  // A warning of meaning speaks of the whole config: it is told only when that is what was judged.
  if (faults.length > 0 || good === undefined) return { ...told, faults, warnings }
  const remarks = meant.filter((one) => !wrong(one)).map((one) => place(kept, one))
  return { ...told, config: good.config, faults, warnings: sorted([...warnings, ...remarks]) }
}

/** Where a config that was not read has its faults. */
function nowhere(file: string): Loaded['locate'] {
  return (_, message) => ({ file, line: 1, column: 1, message })
}

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

function place(tree: Node, { path, message, on }: Pick<Finding, 'path' | 'message' | 'on'>): Fault {
  const node = find(tree, existing(tree, path)) ?? tree
  return { ...placeOf(tree, path, on), message: safe(message, node) }
}

/** What a message quotes may be the value of a variable: then it quotes what was written instead. */
function safe(message: string, node: Node): string {
  // Not by pairs: a value may have a quote in it.
  const quoted = message.split('"').filter((part, index) => index > 0 && part !== '')
  const shown = findFilled(node).find(({ value, written }) =>
    quoted.some((part) => String(value).includes(part) && !written.includes(part)),
  )
  return shown === undefined ? message : message.replace(/".*"/s, () => JSON.stringify(shown.written))
}
