import { isDeepStrictEqual } from 'node:util'
import type { Route } from './config/route.ts'
import type { Config } from './config/schema.ts'

/** One thing that a change of the config adds, takes away, or changes. */
export interface Difference {
  readonly what: 'added' | 'removed' | 'changed' | 'moved'
  /** What it is of: `route country-profile`, `upstream users`, or a part of the file such as `listen`. */
  readonly of: string
  /** The keys that lead to it there, with dots between: `steps.capital.timeout`. */
  readonly at?: string
  readonly from?: unknown
  readonly to?: unknown
}

/**
 * Says what a change of a config does, with all defaults filled in: of what is written differently and means the same
 * nothing is said. Times are in ms, sizes in bytes.
 */
export function differences(before: Config, after: Config): Difference[] {
  const { routes: oldRoutes, upstreams: oldUpstreams, ...oldRest } = before
  const { routes: newRoutes, upstreams: newUpstreams, ...newRest } = after
  const keys = [...new Set([...Object.keys(oldRest), ...Object.keys(newRest)])] as (keyof typeof oldRest)[]
  return [
    ...keys.flatMap((key) => inside(key, [], oldRest[key], newRest[key])),
    ...byName('upstream', oldUpstreams, newUpstreams),
    ...byName('route', named(oldRoutes), named(newRoutes)),
    ...moved(oldRoutes, newRoutes),
  ]
}

const named = (routes: readonly Route[]): Record<string, Route> =>
  Object.fromEntries(routes.map((route) => [route.name, route]))

function byName(kind: string, before: Readonly<Record<string, unknown>>, after: Readonly<Record<string, unknown>>) {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])]
  return names.flatMap((name): Difference[] => {
    const of = `${kind} ${name}`
    if (!(name in before)) return [{ what: 'added', of }]
    if (!(name in after)) return [{ what: 'removed', of }]
    return inside(of, [], before[name], after[name])
  })
}

/** Of routes that both have: those that another one now comes before or after, since the first that matches serves. */
function moved(before: readonly Route[], after: readonly Route[]): Difference[] {
  const [old, now] = [before, after].map((routes) => routes.map(({ name }) => name)) as [string[], string[]]
  const [kept, order] = [old.filter((name) => now.includes(name)), now.filter((name) => old.includes(name))]
  return order.flatMap((name, i) => (kept[i] === name ? [] : [{ what: 'moved' as const, of: `route ${name}` }]))
}

function inside(of: string, path: readonly string[], before: unknown, after: unknown): Difference[] {
  if (isDeepStrictEqual(before, after)) return []
  const [old, now] = [partsOf(before), partsOf(after)]
  if (old !== null && now !== null) {
    const keys = [...new Set([...old.keys(), ...now.keys()])]
    return keys.flatMap((key) => inside(of, [...path, key], old.get(key), now.get(key)))
  }
  const at = path.length === 0 ? {} : { at: path.join('.') }
  if (before === undefined) return [{ what: 'added', of, ...at, to: plain(after) }]
  if (after === undefined) return [{ what: 'removed', of, ...at, from: plain(before) }]
  return [{ what: 'changed', of, ...at, from: plain(before), to: plain(after) }]
}

/** The parts of a map; what a route says in JSON is one thing, and so is a list. */
function partsOf(value: unknown): ReadonlyMap<string, unknown> | null {
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Map)
  return isMap ? new Map(Object.entries(value)) : null
}

/** Templates are maps, which JSON would take for empty. */
function plain(value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, one]) => [String(key), plain(one)]))
  if (Array.isArray(value)) return value.map(plain)
  const parts = partsOf(value)
  return parts === null ? value : Object.fromEntries([...parts].map(([key, one]) => [key, plain(one)]))
}

// Keys whose values may be secret: in place of them only that they differ is told.
const secret = /token|auth|cookie|password|secret|^headers$|^tls$|api-key|^redis$|^otlp$/i

function open(key: string, value: unknown): unknown {
  if (secret.test(key)) return '…'
  return value === Infinity ? 'none' : value
}

function shown(value: unknown, at: string): string {
  return at.split('.').some((key) => secret.test(key)) ? '…' : JSON.stringify(value, open)
}

const signs = { added: '+', removed: '-', changed: '~', moved: '~' } as const

/** Writes a difference as a line. */
export function differenceLine({ what, of, at = '', from, to }: Difference): string {
  const values = {
    added: to === undefined ? '' : `: ${shown(to, at)}`,
    removed: from === undefined ? '' : `: ${shown(from, at)}`,
    changed: `: ${shown(from, at)} → ${shown(to, at)}`,
    moved: ': other routes come before it now, or no longer do',
  }
  return `${signs[what]} ${of}${at === '' ? '' : ` ${at}`}${values[what]}`
}

/** Writes differences as JSON. */
export function differencesJson(all: readonly Difference[]): string {
  const told = all.map(({ from, to, ...one }) => {
    const hidden = (one.at ?? '').split('.').some((key) => secret.test(key))
    return hidden ? one : { ...one, from, to }
  })
  return JSON.stringify(told, open, 2)
}
