import type { ReplyHeaders } from '../call/call.ts'
import { connectionOptions, hopByHop, isFieldValue } from '../call/headers.ts'
import type { State } from '../plan/plan.ts'

/** Changes that a route makes to header fields; a value may depend on the request. */
export interface FieldRules {
  readonly set: readonly (readonly [name: string, value: (state: State) => string | null])[]
  readonly remove: ReadonlySet<string>
}

/** Header fields by name in lower case. */
export type Fields = Record<string, string | string[]>

/** Applies a route's changes; a value that is absent, or that no header can hold, is left out. */
export function applyRules(fields: Fields, rules: FieldRules, state: State): void {
  for (const name of rules.remove) delete fields[name]
  for (const [name, value] of rules.set) {
    const text = value(state)
    if (text !== null && isFieldValue(text)) fields[name] = text
  }
}

/** Copies what of a reply's header is for the client: all but what belongs to the connection it came on. */
export function endToEnd(headers: ReplyHeaders): Fields {
  const named = connectionOptions(headers['connection']?.toString())
  // Without a prototype: an upstream may call a field `__proto__`.
  const kept = Object.create(null) as Fields
  for (const name of Object.keys(headers)) {
    const value = headers[name]
    if (value === undefined || hopByHop.has(name) || named.includes(name)) continue
    kept[name] = typeof value === 'string' ? value : [...value]
  }
  return kept
}

// These speak of a reply's own body and cannot be true of a body that was made of several.
const ofTheBody =
  /^(?:content-(?:length|type|encoding|range|md5|digest|disposition)|etag|last-modified|accept-ranges|digest|repr-digest|date|age)$/

/** Copies what of a step's reply may stand on a response that was merged. */
export function beyondTheBody(headers: ReplyHeaders): Fields {
  const kept = endToEnd(headers)
  for (const name of Object.keys(kept)) if (ofTheBody.test(name)) delete kept[name]
  return kept
}
