import { expect, test } from 'vitest'
import type { Call, Upstream } from '../../src/call/call.ts'
import { noAccounts } from '../../src/call/work.ts'
import type { Step } from '../../src/plan/plan.ts'
import { forwardedBy } from '../../src/server/forwarded.ts'
import { serveForward, serveSteps } from '../../src/server/serve.ts'
import { connect, request } from '../support/client.ts'
import { expectProblem } from '../support/problem.ts'
import { startServer } from '../support/server.ts'

const call: Call = { method: 'GET', path: '/', headers: [], body: null, accept: () => true, decode: 'json' }

const stepOf = (upstream: Upstream): Step => ({
  name: 'a',
  upstream,
  upstreamName: 'u',
  accounts: noAccounts,
  bind: () => call,
  needs: [],
  neededBy: [],
  runs: () => true,
  each: null,
  optional: false,
  fallback: null,
  decode: 'json',
  sharing: null,
  timeoutMs: 1_000,
})

test('a bug of ours costs the request that meets it only: 500 to the client, where it is to the log', async () => {
  const upstream: Upstream = () => {
    throw new Error('a bug of ours')
  }
  const none = { set: [], remove: new Set<string>() }
  const forward = { upstream, name: 'u', accounts: noAccounts, target: null, request: none, response: none, keep: null }
  const rest = { merge: () => '{}', status: 200, budgetMs: 5_000, readsBody: false, varies: [], mergeAccount: 0 }
  const plan = { ...rest, steps: [stepOf(upstream)] }
  const answers: Upstream = () => Promise.resolve({ ok: true, status: 200, headers: {}, body: Buffer.from('1') })
  const bind = (): never => {
    throw new Error('a bug of ours')
  }
  // A step that begins when nobody waits for what it throws.
  const later = {
    ...rest,
    steps: [
      { ...stepOf(answers), neededBy: [1] },
      { ...stepOf(answers), bind, needs: [0] },
    ],
  }
  const each = {
    ...rest,
    steps: [
      { ...stepOf(answers), bind, each: { items: () => [1, 2], limit: 2, max: 9, text: '', from: 'reply' as const } },
    ],
  }
  const body = { maxBytes: 1_024, schema: undefined, reads: false }
  await using server = await startServer((entrance) => [
    { method: 'ANY', path: '/forward', serve: serveForward(entrance, forward, forwardedBy([]), Infinity) },
    { method: 'ANY', path: '/steps', serve: serveSteps(entrance, { plan, rules: null, from: [] }, body) },
    { method: 'ANY', path: '/later', serve: serveSteps(entrance, { plan: later, rules: null, from: [] }, body) },
    { method: 'ANY', path: '/each', serve: serveSteps(entrance, { plan: each, rules: null, from: [] }, body) },
  ])
  await using client = await connect(server.port)
  const asked = [
    ['GET', '/forward', ''],
    ['GET', '/steps', ''],
    ['POST', '/steps', 'a body'],
    ['GET', '/later', ''],
    ['GET', '/each', ''],
  ] as const
  for (const [method, path, sent] of asked) {
    client.send(request(method, path, {}, sent))
    const response = await client.response()
    expect(expectProblem(response, 500).error).toBe('proxy_internal_error')
    expect(response.text).not.toContain('a bug of ours')
  }
  await server.idle()
  const detail = expect.stringContaining('a bug of ours') as unknown
  expect(server.lines.map(({ fields }) => fields)).toMatchObject(
    asked.map(([method, path]) => ({ reason: 'proxy_internal_error', method, path, detail })),
  )
  expect(server.results()).toEqual({ proxy_internal_error: asked.length })
  expect(server.wheel.size).toBe(0)
})

test('the budget of a request begins when its body is in', async () => {
  let now = 0
  const left: number[] = []
  const upstream: Upstream = (_, scope) => {
    left.push(scope.leftMs())
    return Promise.resolve({ ok: true, status: 200, headers: {}, body: Buffer.from('1') })
  }
  const plan = {
    steps: [stepOf(upstream)],
    merge: () => '{}',
    status: 200,
    budgetMs: 5_000,
    readsBody: true,
    varies: [],
    mergeAccount: 0,
  }
  const body = { maxBytes: 1_024, schema: undefined, reads: false }
  await using server = await startServer(
    (entrance) => [{ method: 'POST', path: '/', serve: serveSteps(entrance, { plan, rules: null, from: [] }, body) }],
    () => now,
  )
  await using client = await connect(server.port)
  client.send(request('POST', '/', { expect: '100-continue', 'content-length': '2' }))
  await client.until('100 Continue\r\n\r\n')
  now += 20_000
  server.wheel.advance()
  client.send('{}')
  expect((await client.response()).status).toBe(200)
  expect(left).toEqual([5_000])
  await server.idle()
  expect(server.wheel.size).toBe(0)
})
