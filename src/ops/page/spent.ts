import type { Growth } from './growth.ts'
import type { Spent } from './moment.ts'

/** Lists whose work the loops did in the last second, by the ledger, and what of their active time has no name. */
export function spentOf(growth: Growth, activeMs: number): Spent[] {
  const accounts = new Map<string, { route: string; upstream: string; phase: string; ms: number; arrivalMs: number }>()
  for (const { attributes, by } of growth.each('oneloop.loop.time')) {
    const { 'http.route': route = '', upstream = '', phase = '', charged } = attributes
    if (by === 0 || phase === 'unattributed') continue
    const key = JSON.stringify([route, upstream, phase])
    const account = accounts.get(key) ?? { route, upstream, phase, ms: 0, arrivalMs: 0 }
    account.ms += by * 1_000
    if (charged === 'arrival') account.arrivalMs += by * 1_000
    accounts.set(key, account)
  }
  const named = [...accounts.values()]
  const rest = activeMs - named.reduce((sum, { ms }) => sum + ms, 0)
  const unattributed = { route: '', upstream: '', phase: 'unattributed', ms: Math.max(0, rest), arrivalMs: 0 }
  return [...named, unattributed]
}

/** Adds up shares of the loops' time by what `of` says. */
export function sharesBy(spent: readonly Spent[], wholeMs: number, of: (one: Spent) => string): Record<string, number> {
  const shares: Record<string, number> = {}
  for (const one of spent) {
    const name = of(one)
    // A thousandth is finer than the picture, and the page remembers 900 of these.
    shares[name] = (shares[name] ?? 0) + one.ms / wholeMs
  }
  return Object.fromEntries(Object.entries(shares).map(([name, share]) => [name, Math.round(share * 10_000) / 10_000]))
}

/** What stands for a route in pictures: work on nobody's behalf has a name of its own. */
export function routeOf({ route, phase }: Spent): string {
  if (phase === 'unattributed') return phase
  return route === '' ? 'no route' : route
}
