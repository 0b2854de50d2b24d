import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import type { Upstream } from '../call/call.ts'
import type { Failure } from '../call/failure.ts'
import type { Plan, State } from '../plan/plan.ts'
import { run } from '../plan/run.ts'
import type { Param, Peer, Served } from './app.ts'
import { hasBody, readBody } from './body.ts'
import { type Entrance, type Exchange, enter } from './enter.ts'
import { type FieldRules, applyRules } from './fields.ts'
import { forward } from './forward.ts'
import type { Forwarded } from './forwarded.ts'
import { RequestInput } from './input.ts'
import { type Refusal, refusalProblem } from './problem.ts'
import { failed, respond, responseOf } from './respond.ts'
import { bodyCheck } from './schema.ts'

/** How the body of a request to a route with steps is taken. */
export interface BodyOptions {
  readonly maxBytes: number
  /** The JSON Schema that it must meet. */
  readonly schema: unknown
  /** Whether it is read though no template refers to it. */
  readonly reads: boolean
}

/** Serves a route with steps: reads what is needed of the request, runs the plan, responds. */
export function serveSteps(
  entrance: Entrance,
  { plan, rules, from }: { plan: Plan; rules: FieldRules | null; from: readonly number[] },
  { maxBytes, schema, reads }: BodyOptions,
): Served['serve'] {
  const responding = { plan, rules, from, meter: entrance.meter }
  const check = schema === undefined ? null : bodyCheck(schema)
  const readsBody = reads || plan.readsBody

  async function serve(peer: Peer, param: Param, exchange: Exchange, body: Uint8Array | null): Promise<Response> {
    const json = body === null || body.length === 0 ? undefined : jsonOf(body)
    if (json === broken) return refuse(peer, exchange, { status: 400, detail: 'the body is not valid JSON' })
    const refusal = check === null ? null : check(json)
    if (refusal !== null) return refuse(peer, exchange, refusal)
    const input = new RequestInput(exchange, peer.incoming, param, json === undefined ? null : body, json)
    const ended = await run(plan, input, exchange.scope)
    return respond(responding, ended, exchange)
  }

  return (peer, param) => {
    if (!readsBody || !hasBody(peer.incoming)) {
      return serve(peer, param, enter(peer.incoming, peer.outgoing, entrance), null)
    }
    return withBody(peer, param)
  }

  // The budget begins when the body is in: how long a client takes to send it is bounded by itself.
  async function withBody(peer: Peer, param: Param): Promise<Response> {
    const { incoming, outgoing } = peer
    const body = await readBody(incoming, outgoing, maxBytes, entrance.wheel)
    const exchange = enter(incoming, outgoing, entrance)
    if (body === null || !('status' in body)) return serve(peer, param, exchange, body)
    return refuse(peer, exchange, body)
  }
}

/** Serves a forward route: passes the request on and the reply back as they arrive. */
export function serveForward(
  entrance: Entrance,
  route: {
    readonly upstream: Upstream
    readonly target: ((state: State) => string | Failure) | null
    readonly request: FieldRules
    readonly response: FieldRules
  },
  forwarded: Forwarded,
  maxBytes: number,
): Served['serve'] {
  const forwarding = { upstream: route.upstream, forwarded, wheel: entrance.wheel, maxBytes }
  return async (peer, param) => {
    const { incoming, outgoing } = peer
    const exchange = enter(incoming, outgoing, entrance)
    const input = new RequestInput(exchange, incoming, param, null, undefined)
    const state: State = { input, parts: [], item: undefined, index: 0 }
    const target = route.target === null ? (incoming.url ?? '/') : route.target(state)
    if (typeof target !== 'string') return failed(exchange, { step: '', failure: target }, [])
    const why = await forward(forwarding, exchange, peer, target, {
      request: (fields) => applyRules(fields, route.request, state),
      response: (fields) => applyRules(fields, route.response, state),
    })
    if (why === null) return RESPONSE_ALREADY_SENT
    // What is left of the body was read by nobody.
    if (hasBody(incoming) && !incoming.readableEnded) outgoing.shouldKeepAlive = false
    if ('status' in why) return refuse(peer, exchange, why)
    return failed(exchange, { step: '', failure: why }, [])
  }
}

function refuse({ outgoing }: Peer, exchange: Exchange, refusal: Refusal): Response {
  exchange.result = 'client_error'
  if (refusal.closes) outgoing.shouldKeepAlive = false
  return responseOf(refusalProblem(refusal, exchange.id))
}

const broken = Symbol('not JSON')

function jsonOf(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body))
  } catch {
    return broken
  }
}

