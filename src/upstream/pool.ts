import { isUtf8 } from 'node:buffer'
import { Client, type Dispatcher } from 'undici'
import type { Call, Outcome, ReplyHeaders, Upstream } from '../call/call.ts'
import { Eventual } from '../call/eventual.ts'
import { type Failure, type FailureName, failure } from '../call/failure.ts'
import type { Scope } from '../call/scope.ts'
import type { Wheel } from '../call/wheel.ts'
import type { AttemptTimes, Errand } from '../call/work.ts'
import type { Ledger } from '../telemetry/ledger.ts'
import { classify, judgeHead } from './classify.ts'
import { type ConnectorOptions, connector } from './connect.ts'
import { contentCoding, decode } from './decode.ts'
import { JsonCheck, isJson } from './json.ts'
import { Lender } from './lender.ts'
import { Joiner } from './joiner.ts'
import { attemptOf, withSpan } from '../telemetry/attempt.ts'

/** What the wire to one endpoint leads to, and what bounds it. */
export interface PoolOptions extends ConnectorOptions {
  readonly origin: string
  readonly connections: number
  /** How many calls may go over a connection ahead of their replies; more than one only while `hurry` says so. */
  readonly pipelining: number
  readonly hurry: () => boolean
  readonly connectMs: number
  readonly maxBodyBytes: number
  readonly maxHeaderBytes: number
  /** Spliced JSON of a trusted upstream is not checked. */
  readonly trusted: boolean
  readonly ledger: Ledger
  /** Stands for whom a call is made on nobody's behalf. */
  readonly unasked: Errand
  /** Is told of each connection that was given up because the peer sent what nobody asked for. */
  readonly onBroken: () => void
  /** Is told of each attempt: what status it came to, 0 for none, or how it failed, and how long it took. */
  readonly onAttempt: (method: string, status: number, error: FailureName | null, tookMs: number) => void
}

/** And what the endpoint is called in traces. */
interface Known extends PoolOptions {
  readonly endpoint: string
}

/** The wire to one endpoint. */
export interface Wire {
  readonly upstream: Upstream
  /** How many calls wait for a connection. */
  readonly waiting: () => number
  /** Ends all connections, those in use among them. */
  readonly destroy: () => Promise<void>
}

// Past these a peer is broken or hostile (behaviour.md).
const maxFields = 256
const maxInterim = 32
// What most servers allow, Node's and nginx' among them; with less the others wait in undici.
const maxStreams = 100

/** Makes the wire to an endpoint, with connections of its own. */
export function pool(wheel: Wheel, options: PoolOptions): Wire {
  // A Client of undici's is one connection. Its Pool looks through all of them for each call, which with a hundred
  // costs as much as a layer each; we know which are free.
  const clients: Client[] = []
  const connect = connector(wheel, options.connectMs, options)
  const make = (): Client => {
    const client = new Client(options.origin, clientOptions(connect, options))
    clients.push(client)
    // Bytes that nobody asked for, behind a reply or before one: undici has destroyed the connection.
    client.on('disconnect', (_origin, _targets, error) => {
      if (error.message === 'bad response') options.onBroken()
    })
    return client
  }
  const lender = new Lender(options.connections, make, options.http2 === true ? maxStreams : 1)
  const connections = new Joiner(lender, options.pipelining)
  const { address, origin } = options
  const endpoint = address === undefined ? new URL(origin).host : hostOf(address)
  const known = { ...options, endpoint }
  const upstream: Upstream = (call, scope) => {
    // Nothing was asked of the endpoint.
    if (scope.ended !== null) return Promise.resolve({ ...failure(scope.ended), unsent: true, hurried: true })
    const joins = options.pipelining > 1 && options.http2 !== true && mayJoin(call) && options.hurry()
    const attempt = new Attempt(call, scope, wheel, known, connections, joins)
    if (joins) connections.join(attempt.send)
    else connections.lend(attempt.send, call.again)
    attempt.waits()
    return attempt.outcome
  }
  const destroy = async (): Promise<void> => {
    await Promise.all(clients.map((client) => client.destroy()))
  }
  return { upstream, waiting: () => connections.waiting, destroy }
}

/**
 * Whether a call may be sent ahead of the replies to others: it can be sent again if their connection ends, its reply is
 * no stream, which lasts as long as its reader likes, and it was not sent before, over a connection that ended.
 */
function mayJoin({ method, body, sink, again }: Call): boolean {
  return method === 'GET' && body === null && sink === undefined && again !== true
}

function hostOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

function clientOptions(connect: ReturnType<typeof connector>, options: PoolOptions): Client.Options {
  return {
    connect,
    maxHeaderSize: options.maxHeaderBytes,
    pipelining: options.pipelining,
    allowH2: options.http2 === true,
    h2Options: { maxConcurrentStreams: maxStreams },
    // Deadlines are ours: undici's clock is coarse, and its body timeout is for idleness only.
    headersTimeout: 0,
    bodyTimeout: 0,
    // How long a connection may idle: the peer's hint less 2 s, so that we are seldom the one who finds it closed.
    keepAliveTimeoutThreshold: 2_000,
    keepAliveMaxTimeout: 30_000,
  }
}

/** The answer to one dispatch: gathers or passes on the reply, and settles once. */
class Attempt implements Dispatcher.DispatchHandler {
  readonly #call: Call
  readonly #errand: Errand
  readonly #times: AttemptTimes
  readonly #scope: Scope
  readonly #wheel: Wheel
  readonly #options: Known
  readonly outcome = new Eventual<Outcome>()
  readonly #watcher = (why: FailureName): void => this.#refuse(this.#endOf(why))
  readonly #connections: Joiner<Client>
  /** Whether others are under way on its connection: it may be sent again, once, if that ends on their account. */
  #joins: boolean
  #client: Client | null = null
  #controller: Dispatcher.DispatchController | null = null
  /** Whether there was no connection at once, and whether undici is being given the call. */
  #waits = false
  #dispatching = false
  #settled = false
  #status = 0
  #headers: ReplyHeaders = {}
  #interim = 0
  #chunks: Uint8Array[] = []
  #size = 0
  #coding: string | null = null
  #json: JsonCheck | null = null

  constructor(call: Call, scope: Scope, wheel: Wheel, options: Known, connections: Joiner<Client>, joins: boolean) {
    this.#errand = call.errand ?? options.unasked
    this.#call = withSpan(call, this.#errand)
    this.#times = attemptOf(this.#call, this.#errand, options.endpoint, wheel.now())
    this.#errand.sent++
    this.#errand.work.note(this.#times)
    this.#scope = scope
    this.#wheel = wheel
    this.#options = options
    this.#connections = connections
    this.#joins = joins
    scope.watch(this.#watcher)
  }

  /** Sends the call over a connection, which is given back when undici is done with it. */
  readonly send = (client: Client): void => {
    this.#client = client
    this.#times.queued = this.#waits ? this.#wheel.now() : this.#times.began
    const { method, path, headers, body } = this.#call
    const { work, accounts } = this.#errand
    // It may be within another's work, who has given a connection back.
    const { ledger } = this.#options
    const { account, owner } = ledger
    work.on(accounts.send)
    this.#dispatching = true
    // Blocking would have undici wait for a call's head before it sends the next one; without pipelining it costs a turn
    // of its queue, as leaving the origin out would cost the parsing of a URL.
    client.dispatch(
      { origin: this.#options.origin, method, path, headers: headers as string[], body, blocking: false },
      this,
    )
    this.#dispatching = false
    ledger.switch(account, owner)
  }

  /** Is told that there was no connection at once. */
  waits(): void {
    this.#waits = true
  }

  #giveBack(spent: boolean): void {
    if (this.#client !== null) this.#connections.giveBack(this.#client, spent)
    this.#client = null
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#controller !== null) this.#sendAgain()
    this.#controller = controller
    this.#errand.work.on(this.#errand.accounts.send)
    const times = this.#times
    // Where a connection had to be made first, this is when it is there.
    times.connected = times.sent = this.#dispatching ? times.queued : this.#wheel.now()
    // The scope may have ended while the call waited for a connection. Thrown, for abort would end the connection too.
    if (this.#settled) throw stopped
  }

  /** Has undici, which would send a call again by itself, do so only where that is nobody else's to decide. */
  #sendAgain(): void {
    // Cut by one that shared its connection, or behind one that ended it: not this call's matter, and so far it is not
    // to be seen that it was sent at all. What may have come of its reply is void.
    if (this.#joins) {
      this.#joins = false
      this.#status = this.#size = this.#interim = 0
      this.#chunks = []
      this.#coding = this.#json = null
      return
    }
    // What a peer of HTTP/2 refuses unprocessed is for retry to decide.
    if (this.#options.http2 === true) this.#controller = null
    throw refused
  }

  onRequestSent(): void {
    // Without a body it is sent at once.
    if (this.#call.body !== null) this.#times.sent = this.#wheel.now()
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: ReplyHeaders): void {
    // With an Upgrade field undici refuses it; without one it would wait for a reply that will never come.
    if (status === 101) return this.#refuse(failure('http_upgrade_failed'))
    if (status < 200) {
      if (++this.#interim > maxInterim) this.#refuse(failure('http_protocol_error', 'too many interim responses'))
      return
    }
    this.#errand.work.on(this.#errand.accounts.receive)
    this.#times.head = this.#wheel.now()
    this.#times.loopWaitMs = this.#options.ledger.unseenMs()
    const { rawHeaders } = controller as { rawHeaders?: unknown }
    // Fields that were read past the parser are no list, and few.
    const fields = Array.isArray(rawHeaders) ? rawHeaders.length / 2 : 0
    const fault = judgeHead(status, headers, fields, maxFields)
    if (fault !== null) return this.#refuse(fault)
    this.#status = status
    this.#headers = headers
    const { sink, accept, decode: as } = this.#call
    if (sink !== undefined) return sink.head(status, headers, () => controller.resume())
    // Of a 304 and of what answers HEAD the length is that of a body which does not come.
    const bodiless = status === 304 || this.#call.method === 'HEAD'
    if (!bodiless && Number(headers['content-length']) > this.#options.maxBodyBytes) return this.#refuse(tooLarge)
    if (!accept(status)) return
    this.#coding = contentCoding(headers)
    if (as === 'json' && !this.#options.trusted && this.#coding === null) this.#json = new JsonCheck()
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    // A piece of nothing is what undici's parser makes of being resumed.
    if (this.#settled || chunk.length === 0) return
    const { work, accounts } = this.#errand
    work.on(this.#json === null ? accounts.receive : accounts.parse)
    if (this.#call.sink !== undefined) {
      if (!this.#call.sink.chunk(chunk)) controller.pause()
      return
    }
    this.#size += chunk.length
    if (this.#size > this.#options.maxBodyBytes) return this.#refuse(tooLarge)
    if (this.#json !== null && !this.#json.push(chunk)) return this.#refuse(notJson)
    // Of a reply that is not accepted only the head counts.
    if (this.#call.accept(this.#status)) this.#chunks.push(chunk)
  }

  onResponseEnd(): void {
    const { ledger, http2 } = this.#options
    this.#errand.work.on(this.#errand.accounts.receive)
    this.#giveBack(false)
    if (!this.#settled) this.#end()
    // Over HTTP/1 whoever read the socket says so.
    if (http2 === true) ledger.switch(0, null)
  }

  #end(): void {
    const body = this.#chunks.length === 1 ? (this.#chunks[0] as Uint8Array) : Buffer.concat(this.#chunks, this.#size)
    if (this.#coding === null || this.#size === 0) this.#settle(this.#judge(body))
    else void this.#undoCoding(this.#coding, body)
  }

  onResponseError(_: unknown, error: Error): void {
    const why =
      error === refused ? failure('connection_terminated', error.message) : classify(error, this.#status !== 0)
    const failed = this.#controller === null ? { ...why, unsent: true } : why
    // Not before undici is through with all that were on the connection: it takes for granted that none is added
    // meanwhile, and whoever is told of this may make its next call at once, over this client.
    queueMicrotask(() => {
      // Its connection has ended, and others are open.
      this.#giveBack(true)
      this.#settle(failed)
    })
  }

  async #undoCoding(coding: string, body: Uint8Array): Promise<void> {
    const plain = await decode(coding, body, this.#options.maxBodyBytes)
    if (plain === null) return this.#settle(failure('http_response_content_coding', `content coding ${coding}`))
    const judged = this.#judge(plain)
    const unchecked = judged.ok && this.#call.decode === 'json' && !this.#options.trusted && plain.length > 0
    this.#settle(unchecked && !(await isJson(plain)) ? notJson : judged)
  }

  #judge(body: Uint8Array): Outcome {
    const reply = { ok: true, status: this.#status, headers: this.#headers, body } as const
    if (!this.#call.accept(this.#status))
      return { ok: false, error: 'unaccepted_status', reply: { ...reply, body: empty } }
    if (this.#json === null || body.length === 0) return reply
    return this.#json.end() && isUtf8(body) ? reply : notJson
  }

  /** What it means that the scope has ended. */
  #endOf(why: FailureName): Failure {
    const client = this.#client
    if (why === 'http_response_timeout' && this.#options.http2 === true && client !== null) {
      // Over HTTP/1 the abort ends the connection. This one may be as dead, and all other calls are on it.
      this.#connections.retire(client)
      void client.close()
    }
    const unsent = this.#controller === null
    const connecting = unsent && client !== null && !client.stats.connected
    const error = why === 'http_response_timeout' && connecting ? 'connection_timeout' : why
    return { ...failure(error), ...(unsent && { unsent }), ...(this.#scope.hurried && { hurried: true }) }
  }

  /** Settles with a failure while the exchange is still going on: the socket cannot be used again. */
  #refuse(why: Failure): void {
    this.#settle(why)
    if (this.#client === null) this.#connections.forget(this.send)
    this.#controller?.abort(stopped)
  }

  #settle(outcome: Outcome): void {
    if (this.#settled) return
    this.#settled = true
    this.#scope.unwatch(this.#watcher)
    const error = outcome.ok ? null : outcome.error
    const { ledger } = this.#options
    const { account, owner } = ledger
    this.#errand.work.on(this.#errand.accounts.receive)
    const times = this.#times
    times.ended = this.#wheel.now()
    times.status = this.#status
    times.error = error
    this.#options.onAttempt(this.#call.method, this.#status, error, times.ended - times.began)
    this.outcome.resolve(outcome)
    ledger.switch(account, owner)
  }
}

const empty = new Uint8Array()
const refused = new Error('the peer did not take the call')
const stopped = new Error('the gateway ended the call')
const tooLarge = failure('http_response_body_size')
const notJson = failure('invalid_body')
