import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Context, Hono } from 'hono'
import { type Match, matches, methodsOf, restOf } from './match.ts'
import { idOf } from './enter.ts'
import { methodOf } from './method.ts'
import { type Refusal, refusalProblem } from './problem.ts'
import type { Refused } from './refused.ts'
import { responseOf } from './respond.ts'

/** The two halves of a client's exchange, as node:http has them. */
export interface Peer {
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
}

/** Gives a path parameter, decoded; `*` is the rest of the path as it came. */
export type Param = (name: string) => string | undefined

/** A route with what serves it. */
export interface Served extends Match {
  readonly serve: (peer: Peer, param: Param) => Response | Promise<Response>
}

type App = Hono<{ Bindings: Peer }>

/** Makes the app of all routes: the first that matches in the order given serves; 404 and 405 when none does. */
export function app(routes: readonly Served[], refused: Refused): App {
  // The guard has brought the path into normal form: it must not be taken apart a second time by other rules.
  const made: App = new Hono<{ Bindings: Peer }>({
    getPath: (_, options) => pathOf((options as { env: Peer }).env.incoming),
  })
  for (const { path, group } of byPath(routes)) made.all(path, handler(path, group))
  made.notFound((c) => notFound(c.env.incoming, routes, refused))
  made.onError((error) => {
    throw error
  })
  return made
}

function pathOf({ url = '' }: IncomingMessage): string {
  const at = url.indexOf('?')
  return at === -1 ? url : url.slice(0, at)
}

/** Routes with the same path share a handler, so that one match is all that a request needs. */
function byPath(routes: readonly Served[]): { path: string; group: Served[] }[] {
  const groups: { path: string; group: Served[] }[] = []
  for (const route of routes) {
    const last = groups.at(-1)
    // Only neighbours: a route that stands between two of the same path comes before the second.
    if (last?.path === route.path) last.group.push(route)
    else groups.push({ path: route.path, group: [route] })
  }
  return groups
}

function handler(path: string, group: readonly Served[]) {
  const table = new Map<string, Served>()
  for (const route of group) {
    for (const method of methodsOf(route.method)) if (!table.has(method)) table.set(method, route)
  }
  const fixedSegments = path.endsWith('/*') ? path.split('/').length - 1 : null
  return (c: Context<{ Bindings: Peer }>, next: () => Promise<void>) => {
    const route = table.get(methodOf(c.env.incoming))
    // Another route may have the path for this method.
    if (route === undefined) return next() as Promise<never>
    return route.serve(c.env, (name) => {
      if (name === '*') return fixedSegments === null ? undefined : restOf(c.req.path, fixedSegments)
      return c.req.param(name)
    })
  }
}

function notFound(incoming: IncomingMessage, routes: readonly Match[], refused: Refused): Response {
  const path = pathOf(incoming)
  const allowed = new Set(
    routes.filter((route) => matches(route.path, path)).flatMap((route) => methodsOf(route.method)),
  )
  const id = idOf(incoming)
  const refusal = allowed.size === 0 ? noRoute(path) : notAllowed(methodOf(incoming), [...allowed].join(', '))
  refused(refusal, id, incoming)
  return responseOf(refusalProblem(refusal, id))
}

function noRoute(path: string): Refusal {
  return { status: 404, detail: `no route for ${path}` }
}

function notAllowed(method: string, allow: string): Refusal {
  return { status: 405, detail: `${method} is not allowed here, but ${allow}`, headers: { allow } }
}
