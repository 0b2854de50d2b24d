import type { IncomingMessage, ServerResponse } from 'node:http'
import { PassThrough } from 'node:stream'
import type { Call, Sink, Upstream } from '../call/call.ts'
import type { Failure } from '../call/failure.ts'
import { connectionOptions, hopByHop } from '../call/headers.ts'
import { traceparent } from '../call/trace.ts'
import type { Wheel } from '../call/wheel.ts'
import type { CallAccounts } from '../call/work.ts'
import { hasBody, sayContinue, tooLarge } from './body.ts'
import { type Exchange, decide } from './enter.ts'
import { type Fields, endToEnd } from './fields.ts'
import type { Forwarded } from './forwarded.ts'
import { methodOf } from './method.ts'
import type { Refusal } from './problem.ts'

/** How a forward route passes requests on. */
export interface Forwarding {
  readonly upstream: Upstream
  readonly name: string
  readonly accounts: CallAccounts
  readonly forwarded: Forwarded
  readonly wheel: Wheel
  /** The largest body that a request may have; Infinity where none is written. */
  readonly maxBytes: number
}

// After the head of the reply nothing is bounded but silence (behaviour.md, forward route).
const idleMs = 60_000

/**
 * Passes a request on and the reply back as both arrive, with back-pressure both ways. Settles with null when the
 * reply has begun, whatever became of it, else with what is still to be answered.
 */
export async function forward(
  { upstream, name, accounts, forwarded, wheel, maxBytes }: Forwarding,
  exchange: Exchange,
  { incoming, outgoing }: { incoming: IncomingMessage; outgoing: ServerResponse },
  path: string,
  of: { request(fields: Fields): void; response(fields: Fields): void; readonly kept: Pick<Call, 'apart' | 'tags'> },
): Promise<Failure | Refusal | null> {
  if (Number(incoming.headers['content-length'] ?? 0) > maxBytes) return tooLarge(maxBytes)
  const idle = new Idle(wheel, () => exchange.scope.close('http_response_timeout'))
  const body = new Upload(idle, maxBytes, () => exchange.scope.close('cancelled'))
  const fields = requestFields(incoming, exchange, forwarded)
  of.request(fields)
  const call: Call = {
    method: methodOf(incoming),
    path,
    headers: flat(fields),
    body: hasBody(incoming) ? body.stream(incoming, outgoing) : null,
    accept: () => true,
    decode: 'raw',
    errand: { work: exchange.work, step: '', upstream: name, accounts, sent: 0 },
    ...of.kept,
    sink: sinkTo(outgoing, idle, (reply) => {
      reply['x-request-id'] = exchange.id
      of.response(reply)
    }),
  }
  const outcome = await upstream(call, exchange.scope)
  idle.stop()
  if (outcome.ok) {
    exchange.result = outcome.status < 500 ? 'ok' : 'unaccepted_status'
    outgoing.end()
    return null
  }
  if (!outgoing.headersSent) return body.isTooLarge ? tooLarge(maxBytes) : outcome
  decide(exchange, '', outcome)
  exchange.broken = true
  // To an HTTP/1.0 client the end of the connection is the end of the body: only a reset says that it is not whole.
  if (incoming.httpVersion === '1.0') outgoing.socket?.resetAndDestroy()
  else outgoing.destroy()
  return null
}

/** The body of a request on its way upstream. */
class Upload {
  readonly #idle: Idle
  readonly #maxBytes: number
  readonly #stop: () => void
  #size = 0

  constructor(idle: Idle, maxBytes: number, stop: () => void) {
    this.#idle = idle
    this.#maxBytes = maxBytes
    this.#stop = stop
  }

  get isTooLarge(): boolean {
    return this.#size > this.#maxBytes
  }

  // Node would close the client's connection with its request: the pipe keeps what undici ends apart from it.
  stream(incoming: IncomingMessage, outgoing: ServerResponse): PassThrough {
    sayContinue(incoming, outgoing)
    incoming.on('data', (chunk: Uint8Array) => {
      this.#idle.touch()
      this.#size += chunk.length
      if (this.isTooLarge) this.#stop()
    })
    return incoming.pipe(new PassThrough())
  }
}

function requestFields(incoming: IncomingMessage, exchange: Exchange, forwarded: Forwarded): Fields {
  const named = connectionOptions(incoming.headers.connection)
  // Without a prototype: a client may call a field `constructor`.
  const fields = Object.create(null) as Fields
  const { rawHeaders } = incoming
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase()
    if (hopByHop.has(name) || notPassed.has(name) || named.includes(name)) continue
    const before = fields[name]
    const value = rawHeaders[i + 1] as string
    fields[name] = before === undefined ? value : [...[before].flat(), value]
  }
  const ours = forwarded(incoming)
  for (let i = 0; i < ours.length; i += 2) fields[ours[i] as string] = ours[i + 1] as string
  fields['via'] = fields['via'] === undefined ? '1.1 oneloop' : `${String(fields['via'])}, 1.1 oneloop`
  fields['x-request-id'] = exchange.id
  const { trace } = exchange
  if (trace.state !== null) fields['tracestate'] = trace.state
  if (trace.baggage !== null) fields['baggage'] = trace.baggage
  fields['traceparent'] = traceparent(trace)
  return fields
}

// Host is the endpoint's; Expect was answered by us; who the client is we say ourselves.
const notPassed = new Set([
  'host',
  'expect',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-forwarded-port',
  'x-forwarded-prefix',
  'x-real-ip',
  'traceparent',
  'tracestate',
  'baggage',
])

function flat(fields: Fields): string[] {
  return Object.entries(fields).flatMap(([name, value]) => [value].flat().flatMap((one) => [name, one]))
}

function sinkTo(outgoing: ServerResponse, idle: Idle, change: (fields: Fields) => void): Sink {
  return {
    head(status, headers, resume) {
      const fields = endToEnd(headers)
      change(fields)
      outgoing.writeHead(status, fields)
      outgoing.on('drain', () => {
        idle.touch()
        resume()
      })
      idle.start()
      // Events must not wait for the first byte of a body; a body that is there already goes in the same write.
      setImmediate(() => outgoing.flushHeaders())
    },
    chunk(bytes) {
      idle.touch()
      return outgoing.write(bytes)
    },
  }
}

/** Rings when nothing has moved for a while. One alarm serves: touching it only notes the time. */
class Idle {
  readonly #wheel: Wheel
  readonly #ring: () => void
  #touched = 0
  #alarm: ReturnType<Wheel['set']> | null = null

  constructor(wheel: Wheel, ring: () => void) {
    this.#wheel = wheel
    this.#ring = ring
  }

  start(): void {
    this.touch()
    this.#alarm = this.#wheel.set(this.#touched + idleMs, () => this.#check())
  }

  touch(): void {
    this.#touched = this.#wheel.now()
  }

  stop(): void {
    if (this.#alarm !== null) this.#wheel.clear(this.#alarm)
  }

  #check(): void {
    const at = this.#touched + idleMs
    if (this.#wheel.now() >= at) this.#ring()
    else this.#alarm = this.#wheel.set(at, () => this.#check())
  }
}
