import type { Upstream } from './call/call.ts'
import type { Finding } from './config/fault.ts'
import type { Declared } from './config/load.ts'
import type { Config } from './config/schema.ts'
import type { Route } from './config/route.ts'
import { compileRoute, unreachable } from './routes.ts'
import { bodyCheck } from './server/schema.ts'
import { hiddenBy } from './server/match.ts'

/** Says what is wrong, and what is worth a warning, in a config whose every part is well formed. */
export function meaning(config: Config, declared: Declared): Finding[] {
  const findings: Finding[] = []
  const used = new Set<string>()
  const upstreams = [...declared.upstreams]
  const upstream = (name: string): Upstream | undefined => {
    used.add(name)
    // What a missing file would have declared cannot be known.
    return declared.upstreams.has(name) || !declared.whole ? unreachable : undefined
  }
  config.routes.forEach((route, i) => {
    const { remarks } = compileRoute(route, { config, upstream, upstreams, declared: [...(declared.steps[i] ?? [])] })
    findings.push(...remarks.map((remark) => ({ ...remark, path: ['routes', i, ...remark.path] })))
    findings.push(...schemaFaults(route, i))
  })
  findings.push(...hidden(config.routes), ...namedTwice(config.routes))
  for (const [name, { http2, pipelining }] of Object.entries(config.upstreams)) {
    const message = 'pipelining is of no use with http2, which carries many calls on a connection anyway'
    if (http2 && pipelining > 1) findings.push({ path: ['upstreams', name], on: 'key', message, severity: 'warning' })
    if (used.has(name)) continue
    findings.push({
      path: ['upstreams', name],
      on: 'key',
      message: `nothing uses upstream "${name}"`,
      severity: 'warning',
    })
  }
  return findings
}

function schemaFaults(route: Route, i: number): Finding[] {
  if (route.forward !== undefined || route.schema === undefined) return []
  try {
    bodyCheck(route.schema.content)
    return []
  } catch (error) {
    return [
      { path: ['routes', i, 'schema'], message: `not a JSON Schema: ${(error as Error).message}`, severity: 'fault' },
    ]
  }
}

function hidden(routes: readonly Route[]): Finding[] {
  return routes.flatMap((route, i) => {
    const earlier = routes.slice(0, i).map((one) => one.match)
    const by = hiddenBy(route.match, earlier)
    if (by === null) return []
    const message = `this route can never match: ${by.method} ${by.path} comes first`
    return [{ path: ['routes', i, 'match'], message, severity: 'fault' as const }]
  })
}

function namedTwice(routes: readonly Route[]): Finding[] {
  const seen = new Set<string>()
  return routes.flatMap((route, i) => {
    // Two routes without names of their own that have the same match are told as such already.
    const unnamed = route.name === `${route.match.method} ${route.match.path}`
    const again = seen.has(route.name) && !unnamed
    seen.add(route.name)
    const message = `another route is called "${route.name}" already`
    return again ? [{ path: ['routes', i, 'name'], message, severity: 'fault' as const }] : []
  })
}
