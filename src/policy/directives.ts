import { type Fields, elementsOf, lineOf } from './fields.ts'
import { dictionaryOf } from './structured.ts'

/** Cache directives by name in lower case; one without a value is `true`, one whose form is broken is ''. */
export type Directives = ReadonlyMap<string, string | true>

const none: Directives = new Map()
const element = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([!#$%&'*+.^_`|~0-9A-Za-z-]+)))?$/
const name = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+/

/** Reads a Cache-Control field (RFC 9111 §5.2). Of a directive that stands there twice the first counts (§4.2.1). */
export function directivesOf(line: string | undefined): Directives {
  if (line === undefined || line === '') return none
  const found = new Map<string, string | true>()
  for (const one of elementsOf(line)) {
    const match = element.exec(one)
    const key = (match?.[1] ?? name.exec(one)?.[0] ?? '').toLowerCase()
    if (key === '' || found.has(key)) continue
    found.set(key, match === null ? '' : (match[2]?.replace(/\\(.)/g, '$1') ?? match[3] ?? true))
  }
  return found
}

// Far more than anything is kept for, and still exact in ms.
const maxSeconds = 2 ** 31

/** The seconds that a directive gives: undefined without it, and 0 when it is not valid: then nothing is fresh. */
export function secondsOf(directives: Directives, key: string): number | undefined {
  const value = directives.get(key)
  if (value === undefined) return undefined
  return typeof value === 'string' && /^\d+$/.test(value) ? Math.min(Number(value), maxSeconds) : 0
}

/** The field names that a directive such as `no-cache="set-cookie"` lists, in lower case; null when it lists none. */
export function namedBy(directives: Directives, key: string): string[] | null {
  const value = directives.get(key)
  if (typeof value !== 'string') return null
  const names = value
    .split(',')
    .map((one) => one.trim().toLowerCase())
    .filter((one) => one !== '')
  return names.length === 0 ? null : names
}

/** What a reply says of its own caching. */
export interface Control {
  readonly directives: Directives
  /** Whether CDN-Cache-Control said it: then Cache-Control and Expires do not count (RFC 9213 §2.2). */
  readonly targeted: boolean
}

/** Reads what a reply says of its caching, to a gateway before anyone else. */
export function controlOf(headers: Fields): Control {
  const line = lineOf(headers, 'cdn-cache-control')
  const targeted = line === undefined ? null : targetedOf(line)
  if (targeted !== null) return { directives: targeted, targeted: true }
  return { directives: directivesOf(lineOf(headers, 'cache-control')), targeted: false }
}

/** A field that is empty or no structured field counts as if it were not there (RFC 9213 §2.1). */
function targetedOf(line: string): Directives | null {
  const dictionary = dictionaryOf(line)
  if (dictionary === null || dictionary.size === 0) return null
  const found = new Map<string, string | true>()
  for (const [key, { type, text }] of dictionary) {
    if (type === 'boolean') {
      if (text === '1') found.set(key, true)
    } else found.set(key, type === 'integer' || type === 'token' || !/age$|^stale-/.test(key) ? text : '')
  }
  return found
}
