import { expect } from 'vitest'
import { type Received, ask, request } from '../support/client.ts'
import { type TestGateway, startGateway } from '../support/gateway.ts'
import { type Arrived, type Origin, json, startOrigin } from '../support/origin.ts'

/** What an origin answers: JSON, whole bytes, or what a function makes of the request; undefined: never. */
export type Answer = unknown

/** A gateway with one upstream, `u`, whose answers are given by path. */
export interface Setting extends AsyncDisposable {
  readonly origin: Origin
  readonly gateway: TestGateway
  /** Asks the gateway, and sees to it that the answer names no next hop. */
  ask(target: string, headers?: Readonly<Record<string, string>>, method?: string, body?: string): Promise<Received>
  post(target: string, body: string): Promise<Received>
  /** The targets that arrived at the origin, in order. */
  arrived(): string[]
}

/** Starts an origin and a gateway with the given routes before it; in the end nothing may be left under way. */
export async function startSetting(
  answers: Readonly<Record<string, Answer>>,
  routes: string,
  upstream = '',
): Promise<Setting> {
  const origin = await startOrigin(async (asked, socket) => {
    const answer = answers[asked.target.split('?', 1)[0] as string] ?? answers['*']
    const made: unknown = typeof answer === 'function' ? await (answer as Script)(asked, origin) : answer
    if (made !== undefined) socket.write(Buffer.isBuffer(made) ? made : json(made))
  })
  const gateway = await startGateway(
    // A call is made once, whatever becomes of it.
    `defaults: { retry: 0, breaker: off }\nupstreams: { u: { endpoints: ["${origin.url}"], ${upstream} } }\nroutes:\n${routes.trimEnd()}\n`,
  )
  const setting: Setting = {
    origin,
    gateway,
    async ask(target, headers = {}, method = 'GET', body = '') {
      const received = await ask(gateway.port, request(method, target, headers, body))
      expect(received.whole).toBe(true)
      const all = received.head + received.text
      expect(all.includes(`:${origin.port}`) || all.includes('127.0.0.1'), 'a next hop is told').toBe(false)
      return received
    },
    post: (target, body) => setting.ask(target, {}, 'POST', body),
    arrived: () => origin.requests.map(({ target }) => target),
    async [Symbol.asyncDispose]() {
      await gateway.idle()
      await gateway.close()
      await origin[Symbol.asyncDispose]()
    },
  }
  return setting
}

type Script = (asked: Arrived, origin: Origin) => unknown

/** Whether a request for a target has arrived, for `until`. */
export function has(target: string): (origin: Origin) => boolean {
  return ({ requests }) => requests.some((one) => one.target === target)
}

/** Answers with `value` once a request for `target` has arrived. */
export function after(target: string, value: unknown): Script {
  return async (_, origin) => {
    await origin.until(has(target))
    return value
  }
}

/** Never answers. */
export function never(): undefined {
  return undefined
}

/** Takes `Oneloop-Missing` apart as what it is, a list of tokens with parameters (RFC 9651). */
export function missingIn({ headers }: Received): { step: string; parameters: Record<string, string | number> }[] {
  const field = headers['oneloop-missing']
  if (field === undefined) return []
  return field.split(/ *, */).map((member) => {
    const [step = '', ...parameters] = member.split(';')
    expect(step).toMatch(/^[A-Za-z*][\w!#$%&'*+.^`|~:/-]*$/)
    const pairs = parameters.map((parameter) => {
      const [, key = '', value = ''] =
        /^ *([a-z*][a-z0-9_.*-]*)=(\d{1,15}|[A-Za-z*][\w!#$%&'*+.^`|~:/-]*)$/.exec(parameter) ?? []
      expect({ parameter, key }).not.toEqual({ parameter, key: '' })
      return [key, /^\d/.test(value) ? Number(value) : value]
    })
    return { step, parameters: Object.fromEntries(pairs) as Record<string, string | number> }
  })
}

/** Expects an answer to be a problem document of the gateway's own, with all that such an answer must have. */
export function expectProblem(received: Received, status: number, cause: string): Record<string, unknown> {
  expect({ status: received.status, cause: received.headers['proxy-status'] }).toEqual({
    status,
    cause: `oneloop;${cause}`,
  })
  expect(received.headers).toMatchObject({ 'content-type': 'application/problem+json', 'cache-control': 'no-store' })
  const problem = received.json() as Record<string, unknown>
  expect(problem).toMatchObject({ status, title: expect.any(String), type: 'about:blank' })
  expect(received.headers['x-request-id']).toBe(problem['requestId'])
  return problem
}
