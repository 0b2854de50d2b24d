import type { Finding, Place } from './fault.ts'
import type { Json } from './names.ts'

/** A value of a config file with the place it was read from. */
export type Node = Scalar | List | Mapping

/** A value without parts. */
export interface Scalar {
  readonly kind: 'scalar'
  readonly at: Place
  readonly value: unknown
  /** What stood here before variables were put in: faults show this, for the value may be a secret. */
  readonly written?: string
  /** What is wrong with it, once that is known: it is told, and the value is judged no further. */
  readonly faults?: readonly string[]
}

/** A list of values. */
export interface List {
  readonly kind: 'list'
  readonly at: Place
  readonly items: readonly Node[]
}

/** Values by key, in the order written. */
export interface Mapping {
  readonly kind: 'map'
  readonly at: Place
  readonly entries: ReadonlyMap<string, Entry>
}

/** A value of a mapping, and where its key stands. */
export interface Entry {
  readonly key: Place
  readonly value: Node
}

/** The keys and indexes that lead to a value. */
export type Path = Finding['path']

/** The values that stand for JSON: their keys keep the order written, also where they look like numbers. */
const TEMPLATES = ['routes.*.response', 'routes.*.steps.*.fallback', 'routes.*.steps.*.call.body']

/** Whether a path is one that a pattern such as `routes.*.response` means. */
export function matches(pattern: string, path: Path): boolean {
  const parts = pattern.split('.')
  return parts.length === path.length && parts.every((part, index) => part === '*' || part === path[index])
}

/** The value at a path, or undefined. */
export function find(node: Node, path: Path): Node | undefined {
  return path.reduce<Node | undefined>((at, key) => at && entry(at, key)?.value, node)
}

/** The part of a path that exists: a key that is missing is told at what it is missing from. */
export function existing(node: Node, path: Path): Path {
  const missing = path.findIndex((_, index) => find(node, path.slice(0, index + 1)) === undefined)
  return missing === -1 ? path : path.slice(0, missing)
}

/** The place where a fault at a path is told: by default a scalar's own, and a collection's key. */
export function placeOf(tree: Node, path: Path, on?: 'key' | 'value'): Place {
  const [node, key] = nearest(tree, existing(tree, path))
  return key !== undefined && (on === 'key' || (on === undefined && node.kind !== 'scalar')) ? key : node.at
}

/** The tree without the values at some paths. */
export function without(node: Node, paths: readonly Path[]): Node {
  if (paths.length === 0 || node.kind === 'scalar') return node
  const cut = (key: string | number, value: Node): Node[] => {
    const inside = paths.filter(([head]) => head === key).map(([, ...rest]) => rest)
    return inside.some((rest) => rest.length === 0) ? [] : [without(value, inside)]
  }
  if (node.kind === 'list') return { ...node, items: node.items.flatMap((item, index) => cut(index, item)) }
  const kept = [...node.entries].flatMap(([key, one]) =>
    cut(key, one.value).map((value) => [key, { ...one, value }] as const),
  )
  return { ...node, entries: new Map(kept) }
}

/** The tree with other values where `change` gives them; where it gives none, it is asked about the parts. */
export function rewrite(node: Node, change: (node: Node, path: Path) => Node | undefined, path: Path = []): Node {
  const changed = change(node, path)
  if (changed !== undefined || node.kind === 'scalar') return changed ?? node
  if (node.kind === 'list') {
    return { ...node, items: node.items.map((item, index) => rewrite(item, change, [...path, index])) }
  }
  const entries = [...node.entries].map(
    ([key, one]) => [key, { ...one, value: rewrite(one.value, change, [...path, key]) }] as const,
  )
  return { ...node, entries: new Map(entries) }
}

/** What is wrong with values of the tree, as far as that is known. */
export function findFaults(tree: Node): Finding[] {
  const findings: Finding[] = []
  rewrite(tree, (node, path) => {
    const faults = node.kind === 'scalar' ? (node.faults ?? []) : []
    findings.push(...faults.map((message) => ({ path, message, severity: 'fault' }) as const))
    return undefined
  })
  return findings
}

/** The values that variables were put into. */
export function findFilled(tree: Node): (Scalar & { readonly written: string })[] {
  const filled: (Scalar & { readonly written: string })[] = []
  rewrite(tree, (node) => {
    if (node.kind === 'scalar' && node.written !== undefined) filled.push({ ...node, written: node.written })
    return undefined
  })
  return filled
}

/** The bare value: plain objects, but for what stands for JSON. */
export function plain(node: Node, path: Path = []): unknown {
  if (TEMPLATES.some((pattern) => matches(pattern, path))) return json(node)
  if (node.kind === 'scalar') return node.value
  if (node.kind === 'list') return node.items.map((item, index) => plain(item, [...path, index]))
  return Object.fromEntries([...node.entries].map(([key, one]) => [key, plain(one.value, [...path, key])]))
}

/** The values at which a pattern such as `routes.*.cache` points, by path. */
export function select(node: Node, pattern: readonly string[], path: Path = []): [Path, Node][] {
  const [head, ...rest] = pattern
  if (head === undefined) return [[path, node]]
  if (node.kind === 'scalar') return []
  const keys = head === '*' ? (node.kind === 'list' ? node.items.keys() : node.entries.keys()) : [head]
  return [...keys].flatMap((key) => {
    const inner = entry(node, key)
    return inner === undefined ? [] : select(inner.value, rest, [...path, key])
  })
}

function json(node: Node): Json {
  if (node.kind === 'scalar') return node.value as Json
  if (node.kind === 'list') return node.items.map(json)
  return new Map([...node.entries].map(([key, one]) => [key, json(one.value)]))
}

function entry(node: Node, key: string | number): { key?: Place; value: Node } | undefined {
  if (node.kind === 'map') return node.entries.get(String(key))
  const value = node.kind === 'list' ? node.items[Number(key)] : undefined
  return value && { value }
}

function nearest(tree: Node, path: Path): [Node, Place | undefined] {
  const last = path.at(-1)
  const parent = last === undefined ? undefined : find(tree, path.slice(0, -1))
  const found = parent && entry(parent, last as string | number)
  return found ? [found.value, found.key] : [tree, undefined]
}
