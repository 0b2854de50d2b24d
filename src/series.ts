import type { Config } from './config/schema.ts'
import { methodsOf } from './server/match.ts'
import type { Series } from './telemetry/instruments.ts'
import { type CountedRoute, seriesOf } from './telemetry/meters.ts'
import type { Route } from './config/route.ts'

/** Lists all that is counted of a config. Both loops make the list, each for itself. */
export function seriesOfConfig({ routes, upstreams }: Config): Series[] {
  return seriesOf(routes.map(countedRoute), Object.keys(upstreams))
}

/** What of a route tells which numbers there are of it. */
export function countedRoute(route: Route): CountedRoute {
  const called =
    route.forward === undefined ? Object.values(route.steps).map(({ call }) => call.upstream) : [route.forward.upstream]
  return { name: route.name, methods: methodsOf(route.match.method), upstreams: [...new Set(called)] }
}
