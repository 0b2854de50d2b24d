import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import type { Upstream } from '../call/call.ts'
import { type Failure, failure } from '../call/failure.ts'
import type { CallAccounts } from '../call/work.ts'
import type { Keep } from '../plan/keep.ts'
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
  const responding = { plan, rules, from, meter: entrance.meter, accounts: entrance.accounts, composes: false }
  const composing = { ...responding, composes: plan.status === 200 }
  const check = schema === undefined ? null : bodyCheck(schema)
  const readsBody = reads || plan.readsBody

  function serve(peer: Peer, param: Param, exchange: Exchange, body: Uint8Array | null): Response | Promise<Response> {
    const json = body === null || body.length === 0 || !readsBody ? undefined : jsonOf(body)
    if (json === broken)
      return refuse(peer, exchange, { status: 400, detail: 'the body is not valid JSON, or too deep' })
    const refusal = check === null ? null : check(json)
    if (refusal !== null) return refuse(peer, exchange, refusal)
    const input = new RequestInput(exchange, peer.incoming, param, json === undefined ? null : body, json)
    const { method } = peer.incoming
    const as = method === 'GET' || method === 'HEAD' ? composing : responding
    return run(plan, input, exchange.scope).then((ended) => respond(as, ended, exchange))
  }

  return (peer, param) => {
    const { incoming, outgoing } = peer
    const comes = hasBody(incoming)
    // The budget begins when the body is in: how long a client takes to send it is bounded by itself.
    const exchange = enter(incoming, outgoing, entrance, comes)
    // Every turn through a promise is the loop's time: a request without a body takes one, and one to respond.
    return guarded(exchange, () => (comes ? withBody(peer, param, exchange) : serve(peer, param, exchange, null)))
  }

  // A body that nothing reads is taken in as well: it has the same bounds, and the connection can be used again.
  async function withBody(peer: Peer, param: Param, exchange: Exchange): Promise<Response> {
    const body = await readBody(peer.incoming, peer.outgoing, maxBytes, entrance.wheel)
    if (body === null) return RESPONSE_ALREADY_SENT
    if ('status' in body) return refuse(peer, exchange, body)
    exchange.work.on(entrance.accounts.accept)
    exchange.scope = exchange.scope.within(exchange.budgetMs)
    const serving = serve(peer, param, exchange, body)
    exchange.work.off()
    return serving
  }
}

/** Serves a forward route: passes the request on and the reply back as they arrive. */
export function serveForward(
  entrance: Entrance,
  route: {
    readonly upstream: Upstream
    readonly name: string
    readonly accounts: CallAccounts
    readonly target: ((state: State) => string | Failure) | null
    readonly request: FieldRules
    readonly response: FieldRules
    readonly keep: Keep | null
  },
  forwarded: Forwarded,
  maxBytes: number,
): Served['serve'] {
  const forwarding = {
    upstream: route.upstream,
    name: route.name,
    accounts: route.accounts,
    forwarded,
    wheel: entrance.wheel,
    maxBytes,
  }
  async function serve(peer: Peer, param: Param, exchange: Exchange): Promise<Response> {
    const { incoming, outgoing } = peer
    const input = new RequestInput(exchange, incoming, param, null, undefined)
    const state: State = { input, parts: [], item: undefined, index: 0 }
    const target = route.target === null ? (incoming.url ?? '/') : route.target(state)
    if (typeof target !== 'string') return failed(exchange, { step: '', failure: target }, [])
    exchange.work.on(route.accounts.send)
    const why = await forward(forwarding, exchange, peer, target, {
      request: (fields) => applyRules(fields, route.request, state),
      response: (fields) => applyRules(fields, route.response, state),
      kept: route.keep?.(state, '') ?? {},
    })
    if (why === null) return RESPONSE_ALREADY_SENT
    // What is left of the body was read by nobody.
    if (hasBody(incoming) && !incoming.readableEnded) outgoing.shouldKeepAlive = false
    if ('status' in why) return refuse(peer, exchange, why)
    return failed(exchange, { step: '', failure: why }, [])
  }

  return (peer, param) => {
    const exchange = enter(peer.incoming, peer.outgoing, entrance)
    return guarded(exchange, () => serve(peer, param, exchange))
  }
}

function guarded(exchange: Exchange, serve: () => Response | Promise<Response>): Response | Promise<Response> {
  try {
    const serving = serve()
    exchange.work.off()
    return serving instanceof Promise ? serving.catch((error: unknown) => failedByUs(exchange, error)) : serving
  } catch (error) {
    return failedByUs(exchange, error)
  }
}

/** Answers a request that has met a bug of ours: it costs that request only, and the log says where it is. */
function failedByUs(exchange: Exchange, error: unknown): Response {
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return failed(exchange, { step: '', failure: failure('proxy_internal_error', detail) }, [])
}

function refuse({ outgoing }: Peer, exchange: Exchange, refusal: Refusal): Response {
  exchange.result = 'client_error'
  if (refusal.closes) outgoing.shouldKeepAlive = false
  return responseOf(refusalProblem(refusal, exchange.id))
}

const broken = Symbol('not JSON')
// As deep as a reply may be (upstream/json.ts). JSON.parse takes any depth; what writes JSON runs out of stack.
const maxDepth = 1_000

function jsonOf(body: Uint8Array): unknown {
  try {
    const json: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body))
    return isDeep(body) ? broken : json
  } catch {
    return broken
  }
}

/** Whether JSON, known to be valid, is nested deeper than anybody's data. */
function isDeep(json: Uint8Array): boolean {
  let depth = 0
  let inString = false
  for (let i = 0; i < json.length; i++) {
    const byte = json[i]
    if (byte === 0x22) inString = !inString
    else if (inString) i += byte === 0x5c ? 1 : 0
    else if (byte === 0x5b || byte === 0x7b) depth++
    else if (byte === 0x5d || byte === 0x7d) depth--
    if (depth > maxDepth) return true
  }
  return false
}
