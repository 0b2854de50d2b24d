import type { Call, Outcome } from '../call/call.ts'
import { lineOf } from '../policy/fields.ts'
import { pathOf } from '../policy/unsafe.ts'
import type { Keeper } from './keep.ts'
import { primaryOf, valueIn } from './stored.ts'

/** Drops what a call that was not safe may have changed, once it has succeeded (RFC 9111 §4.4). Gives the outcome. */
export function invalidate(keeper: Keeper, call: Call, outcome: Outcome): Outcome {
  const reply = outcome.ok ? outcome : outcome.reply
  if (reply === undefined || reply.status < 200 || reply.status >= 400) return outcome
  const { upstream, words, store, changes, origin } = keeper
  const own = valueIn(call)('x-forwarded-host')
  const hosts = own === undefined ? origin.hosts : [...origin.hosts, own]
  const named = ['location', 'content-location'].map((name) => pathOf(lineOf(reply.headers, name), call.path, hosts))
  const paths = new Set([call.path, ...named.flatMap((path) => (path === null ? [] : [belowBase(path, origin.bases)]))])
  for (const path of paths) {
    for (const word of words) {
      const primary = primaryOf(upstream, path, word)
      store.delete(primary)
      changes.note(primary, keeper.now())
    }
  }
  return outcome
}

// Calls are made below the path of their endpoint; what an upstream says of itself is not.
function belowBase(path: string, bases: readonly string[]): string {
  const base = bases.find((one) => one !== '' && path.startsWith(`${one}/`))
  return base === undefined ? path : path.slice(base.length)
}
