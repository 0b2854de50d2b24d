import { expect } from 'vitest'
import type { FailureName } from '../../src/call/failure.ts'
import { type TestGateway, startGateway } from '../support/gateway.ts'
import { type Origin, type OriginOptions, type Script, startJsonOrigin, startOrigin } from '../support/origin.ts'

/** A gateway between the test and two origins: `bad`, whose script the test writes, and `good`, which answers. */
export interface Setting extends AsyncDisposable {
  readonly gateway: TestGateway
  readonly bad: Origin
  readonly good: Origin
  /** Asks the gateway and reads the answer whole. */
  readonly ask: (path: string, init?: RequestInit) => Promise<Answer>
}

/** What a client is answered. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // oxlint-disable-next-line typescript/no-explicit-any -- a test knows what it has asked for
  readonly json: any
}

export interface Settings extends OriginOptions {
  /** More keys of the upstream `bad`, as YAML: `timeout: 100ms, maxBody: 1KiB`. */
  readonly upstream?: string
  /** More keys of the steps that call `bad`. */
  readonly step?: string
  /** The budget of `/required` and `/optional`. */
  readonly budget?: string
  /** In place of the origin's own URL. */
  readonly url?: (origin: Origin) => string
}

/**
 * Starts a gateway with these routes: `/required` and `/optional` with a step `x` that calls `bad`, the latter with a
 * step `y` beside it that calls `good`; `/forward/*` and `/healthy`.
 */
export async function startSetting(script: Script, settings: Settings = {}): Promise<Setting> {
  const { upstream = '', step = '', budget = '5s', url = (origin: Origin) => origin.url } = settings
  await using stack = new AsyncDisposableStack()
  const bad = stack.use(await startOrigin(script, settings))
  const good = stack.use(await startJsonOrigin({ '/y': { y: 1 } }))
  // A call is made once, whatever becomes of it, unless the test says otherwise.
  const gateway = await startGateway(`
defaults: { retry: 0, breaker: off }
upstreams:
  bad: { endpoints: ["${url(bad)}"], ${upstream} }
  good: { endpoints: ["${good.url}"] }
routes:
  - match: GET /required
    budget: ${budget}
    steps: { x: { call: GET bad /x, ${step} } }
  - match: GET /optional
    budget: ${budget}
    steps: { x: { call: GET bad /x, optional: true, ${step} }, y: { call: GET good /y } }
  - match: POST /posted
    steps: { x: { call: { method: POST, upstream: bad, path: /x, body: "{body}" }, ${step} } }
    limits: { body: 32MiB }
  - match: ANY /forward/*
    forward: bad /{params.*}
  - match: GET /healthy
    steps: { y: { call: GET good /y } }
`)
  // Not waited for: to drain is to look for silence now and then, which would take longer than most tests.
  stack.defer(() => void gateway.close())
  const owned = stack.move()
  return {
    gateway,
    bad,
    good,
    ask: (path, init) => ask(`${gateway.url}${path}`, init),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** Asks for a URL and reads the answer whole. */
export async function ask(url: string, init?: RequestInit): Promise<Answer> {
  const response = await fetch(url, init)
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.includes('json') ?? false
  return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : undefined }
}

/** What a failed answer of the gateway must look like, whatever failed. */
export function expectProblem(answer: Answer, status: number, proxyStatus: string): void {
  const { headers, json } = answer
  expect({ status: answer.status, proxyStatus: headers.get('proxy-status') }).toEqual({ status, proxyStatus })
  expect(headers.get('content-type')).toBe('application/problem+json')
  expect(headers.get('cache-control')).toBe('no-store')
  expect(headers.get('x-request-id')).toBe(json.requestId)
  expect(json).toMatchObject({ type: 'about:blank', status })
}

/**
 * The whole of what a failed call must come to: a required step fails its route, an optional one leaves a null and is
 * told, each call is counted once under its name, the log says it, and the gateway lives and has nothing left.
 */
export async function expectFailure(setting: Setting, error: FailureName, status: 502 | 503 | 504): Promise<void> {
  const { gateway } = setting
  const required = await setting.ask('/required')
  expectProblem(required, status, `oneloop;error=${error}`)
  expect(required.json).toMatchObject({ error, errors: [{ step: 'x', error }] })
  // What is for the operator is not for the client. (A port alone might by chance stand in the request's id.)
  expect(required.text + [...required.headers].join()).not.toMatch(new RegExp(`127\\.0\\.0\\.1|:${setting.bad.port}`))

  const optional = await setting.ask('/optional')
  expect({ status: optional.status, body: optional.text }).toEqual({ status: 200, body: '{"x":null,"y":{"y":1}}' })
  expect(optional.headers.get('oneloop-missing')).toBe(`x;error=${error}`)
  expect(optional.headers.get('cache-control')).toBe('no-store')

  await expectAlive(setting)
  expect(gateway.read('oneloop.calls', { upstream: 'bad', 'error.type': error })).toBe(2)
  expect(gateway.read('oneloop.calls', { upstream: 'bad' })).toBe(2)
  expect(gateway.read('oneloop.requests', { 'http.route': 'GET /required', result: error })).toBe(1)
  expect(gateway.read('oneloop.requests', { 'http.route': 'GET /optional', result: 'partial' })).toBe(1)
  expect(gateway.read('oneloop.missing', { 'http.route': 'GET /optional', 'error.type': error })).toBe(1)
  expect(gateway.lines).toMatchObject([{ level: 'warn', fields: { reason: error, route: 'GET /required', step: 'x' } }])
}

/** The gateway still serves, and nothing of what was is under way. */
export async function expectAlive({ gateway, ask }: Setting): Promise<void> {
  expect(await ask('/healthy')).toMatchObject({ status: 200, text: '{"y":{"y":1}}' })
  await gateway.idle()
}

/** Every request came on a connection of its own, and none of these is open any more. */
export async function expectNoReuse({ bad }: Setting): Promise<void> {
  expect(bad.requests.map(({ connection }) => connection)).toEqual(bad.requests.map((_, i) => i + 1))
  await bad.until(({ open }) => open === 0)
}
