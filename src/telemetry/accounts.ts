import type { CallAccounts, RouteAccounts } from '../call/work.ts'
import type { Attributes, Instruments, Series } from './instruments.ts'
import { seriesNamed } from './table.ts'

const name = 'oneloop.loop.time'
const direct = (phase: string): Attributes => ({ phase, charged: 'direct' })
const arrival = (phase: string): Attributes => ({ phase, charged: 'arrival' })

// The first of each is where time goes that lies before what is named: unless the account has an arrival of its own,
// which stands right behind it.
const ofCall = [arrival('receive'), ...['bind', 'send', 'receive', 'parse', 'cache'].map(direct)]
const ofRoute = [arrival('accept'), ...['accept', 'merge', 'respond', 'transform'].map(direct), arrival('transform')]

/** Lists what the loop's time is charged to on behalf of a route, and of the upstreams that it calls. */
export function accountSeries(route: string, upstreams: readonly string[]): Series[] {
  const attributes = { 'http.route': route }
  return [
    seriesNamed(name, attributes, ofRoute),
    ...upstreams.map((upstream) => seriesNamed(name, { ...attributes, upstream }, ofCall)),
  ]
}

/** Lists what it is charged to on nobody's behalf: what no route has had, checks of upstreams, and the rest. */
export function ownSeries(upstreams: readonly string[]): Series[] {
  return [
    seriesNamed(name, {}, ofRoute),
    ...upstreams.map((upstream) => seriesNamed(name, { upstream }, ofCall)),
    seriesNamed(name, { phase: 'unattributed' }),
  ]
}

/** Finds the accounts of a route; null for those of requests that no route has had. */
export function routeAccounts(instruments: Instruments, route: string | null): RouteAccounts {
  const first = instruments.place(name, route === null ? {} : { 'http.route': route })
  return { accept: first + 1, merge: first + 2, respond: first + 3, transform: first + 4 }
}

/** Finds the accounts of calls to an upstream; with null for the route those of what is called on nobody's behalf. */
export function callAccounts(instruments: Instruments, route: string | null, upstream: string): CallAccounts {
  const first = instruments.place(name, { ...(route !== null && { 'http.route': route }), upstream })
  return { bind: first + 1, send: first + 2, receive: first + 3, parse: first + 4, cache: first + 5 }
}

/** For each account: where time is charged that lies before it. */
export function arrivalsOf(instruments: Instruments): Int32Array {
  const arrivals = new Int32Array(instruments.values.length)
  for (const { name: of, attributes, split = [] } of instruments.series) {
    if (of !== name) continue
    const first = split.length === 0 ? 0 : instruments.place(name, attributes)
    split.forEach(({ charged }, i) => {
      const own = split[i + 1]?.['charged'] === 'arrival'
      if (charged === 'direct') arrivals[first + i] = own ? first + i + 1 : first
    })
  }
  return arrivals
}
