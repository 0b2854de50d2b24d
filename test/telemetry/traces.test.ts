import { expect, test } from 'vitest'
import type { Kept } from '../../src/telemetry/record.ts'
import { ask, connect, request } from '../support/client.ts'
import { type TestGateway, startGateway } from '../support/gateway.ts'
import { type Origin, json, startOrigin } from '../support/origin.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const sampled = { traceparent: `00-${traceId}-b7ad6b7169203331-01`, tracestate: 'a=b', baggage: 'user=7' }

interface Setting extends AsyncDisposable {
  readonly gateway: TestGateway
  readonly origin: Origin
  /** Asks, waits until that is over, and gives what was kept since the last time. */
  keep(path: string, headers?: Record<string, string>): Promise<readonly Kept[]>
}

const routes = `
routes:
  - match: GET /chain
    name: chain
    steps:
      first: { call: GET u /first }
      beside: { call: GET u /beside, optional: true }
      last: { call: "GET u /last/{first.id}" }
      never: { call: GET u /never, when: { query.never: "1" } }
  - { match: GET /items, name: items, steps: { list: { call: GET u /list }, each: { each: "{list}", call: "GET u /item/{item}" } } }
  - { match: GET /fails, name: fails, steps: { one: { call: GET u /fails } } }
  - { match: GET /partial, name: partial, steps: { one: { call: GET u /first }, two: { call: GET u /fails, optional: true } } }
  - { match: GET /again, name: again, steps: { one: { call: GET flaky /again } } }
  - { match: GET /slow, name: slow, steps: { one: { call: GET u /slow } } }
  - { match: GET /hang, name: hang, steps: { one: { call: GET u /hang } } }
  - { match: GET /gone, name: gone, steps: { one: { call: GET u /gone } } }
  - { match: ANY /forward/*, name: forward, forward: "u /{params.*}" }
`

async function start(telemetry: string): Promise<Setting> {
  let flaky = 0
  const origin = await startOrigin(async ({ target }, socket) => {
    if (target === '/fails') return void socket.write('HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n')
    if (target === '/gone') return void socket.write('HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n')
    if (target === '/hang') return
    if (target === '/slow') await new Promise((resolve) => setTimeout(resolve, 5))
    if (target === '/again' && flaky++ === 0) return void socket.write('HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n')
    socket.write(json(target === '/first' ? { id: 7 } : target === '/list' ? [1, 2, 3] : {}))
  })
  const gateway = await startGateway(`telemetry: { ${telemetry} }
defaults: { breaker: off }
upstreams: { u: { endpoints: ["${origin.url}"], retry: 0 }, flaky: { endpoints: ["${origin.url}"] } }
${routes}`)
  let seen = 0
  return {
    gateway,
    origin,
    async keep(path, headers = {}) {
      await ask(gateway.port, request('GET', path, headers))
      await gateway.idle()
      const kept = gateway.traces().slice(seen)
      seen += kept.length
      return kept
    },
    async [Symbol.asyncDispose]() {
      await gateway.close()
      await origin[Symbol.asyncDispose]()
    },
  }
}

const only = (kept: readonly Kept[]): Kept => {
  expect(kept).toHaveLength(1)
  return kept[0] as Kept
}

test('a request whose client has it sampled is kept: its place in the trace, its steps, its attempts, in their order', async () => {
  await using setting = await start('sample: 0%')
  const kept = only(await setting.keep('/chain?secret=1', { ...sampled, 'x-request-id': 'r-1' }))
  expect(kept).toMatchObject({
    traceId,
    parentSpanId: 'b7ad6b7169203331',
    flags: '01',
    tracestate: 'a=b',
    requestId: 'r-1',
    route: 'chain',
    method: 'GET',
    path: '/chain',
    status: 200,
    result: 'ok',
    why: 'sampled',
  })
  expect(Math.abs(kept.beganAt + kept.durationMs - Date.now())).toBeLessThan(60_000)
  expect(
    kept.steps.map(({ name, upstream, optional, critical, skipped }) => [name, upstream, optional, critical, skipped]),
  ).toEqual([
    ['first', 'u', false, true, undefined],
    ['beside', 'u', true, false, undefined],
    ['last', 'u', false, true, undefined],
    ['never', 'u', false, false, true],
  ])
  expect(
    kept.attempts.map(({ step, method, path, status, resend, hedge, endpoint }) => [
      step,
      method,
      path,
      status,
      resend,
      hedge,
      endpoint,
    ]),
  ).toEqual([
    ['first', 'GET', '/first', 200, 0, false, `127.0.0.1:${setting.origin.port}`],
    ['beside', 'GET', '/beside', 200, 0, false, `127.0.0.1:${setting.origin.port}`],
    ['last', 'GET', '/last/7', 200, 0, false, `127.0.0.1:${setting.origin.port}`],
  ])
  for (const one of kept.attempts) {
    const { beganMs, queuedMs, connectMs, sentMs, headMs, endedMs, loopWaitMs } = one
    const moments = [0, beganMs, queuedMs, connectMs, sentMs, headMs, endedMs, kept.durationMs]
    expect(moments).toEqual(moments.toSorted((a, b) => a - b))
    expect(loopWaitMs).toBeGreaterThanOrEqual(0)
  }
  expect(kept.busyMs).toBeGreaterThan(0)
  expect(kept.busyMs).toBeLessThanOrEqual(kept.durationMs + 1)
  expect(kept.utilisation).toBeGreaterThan(0)
  expect(kept.utilisation).toBeLessThanOrEqual(1)
})

test('what went upstream names the spans that are kept, and passes on what hung on the trace', async () => {
  await using setting = await start('sample: 0%')
  const kept = only(await setting.keep('/chain', sampled))
  const arrived = setting.origin.requests.map(({ headers }) => headers)
  expect(new Set(arrived.map((headers) => headers['traceparent']))).toEqual(
    new Set(kept.attempts.map(({ spanId }) => `00-${traceId}-${spanId}-01`)),
  )
  for (const headers of arrived) expect(headers).toMatchObject({ tracestate: 'a=b', baggage: 'user=7' })
  // On a forward route too.
  const forwarded = only(await setting.keep('/forward/x', sampled))
  expect(forwarded.steps).toEqual([])
  expect(setting.origin.requests.at(-1)?.headers).toMatchObject({
    traceparent: `00-${traceId}-${forwarded.attempts[0]?.spanId}-01`,
    tracestate: 'a=b',
    baggage: 'user=7',
  })
})

test('what is sent again is a span of its own, and that it was is a reason to keep the request', async () => {
  await using setting = await start('sample: 0%')
  const kept = only(await setting.keep('/again'))
  expect(kept).toMatchObject({ why: 'retried', result: 'ok', parentSpanId: null, flags: '00' })
  expect(kept.attempts.map(({ status, error, resend }) => [status, error, resend])).toEqual([
    [503, 'unaccepted_status', 0],
    [200, undefined, 1],
  ])
  const spans = kept.attempts.map(({ spanId }) => spanId)
  expect(new Set(spans).size).toBe(2)
  expect(setting.origin.requests.map(({ headers }) => headers['traceparent'])).toEqual(
    spans.map((span) => `00-${kept.traceId}-${span}-00`),
  )
})

test('what has failed is kept, what lacks a part too, but not what its client has asked for wrongly', async () => {
  await using setting = await start('sample: 0%')
  const failed = only(await setting.keep('/fails'))
  expect(failed).toMatchObject({ why: 'failed', status: 502, result: 'unaccepted_status' })
  expect(failed.steps).toMatchObject([{ name: 'one', error: 'unaccepted_status', critical: true }])
  const partial = only(await setting.keep('/partial'))
  expect(partial).toMatchObject({ why: 'failed', status: 200, result: 'partial' })
  expect(partial.steps.map(({ error }) => error)).toEqual([undefined, 'unaccepted_status'])
  expect(await setting.keep('/gone')).toEqual([])
  expect(await setting.keep('/chain')).toEqual([])
})

test('what is slow is kept', async () => {
  await using setting = await start('sample: 0%, slow: 1ms')
  const kept = only(await setting.keep('/slow'))
  expect([kept.why, kept.durationMs >= 1]).toEqual(['slow', true])
  await using other = await start('sample: 0%, slow: 1h')
  expect(await other.keep('/slow')).toEqual([])
})

test('what a client did not wait for is kept, with what was under way', async () => {
  await using setting = await start('sample: 0%')
  const client = await connect(setting.gateway.port)
  client.send(request('GET', '/hang'))
  await setting.origin.until(({ requests }) => requests.some(({ target }) => target === '/hang'))
  client.leave()
  await setting.gateway.idle()
  const kept = only(setting.gateway.traces())
  expect(kept).toMatchObject({ route: 'hang', why: 'failed', status: 499, result: 'cancelled' })
  expect(kept.attempts).toMatchObject([{ step: 'one', error: 'cancelled' }])
})

test('each item of a step has its own attempts, and the step says how many there were', async () => {
  await using setting = await start('sample: 100%')
  const kept = only(await setting.keep('/items'))
  expect(kept).toMatchObject({ why: 'sampled', parentSpanId: null, flags: '01' })
  expect(kept.steps).toMatchObject([
    { name: 'list', critical: true },
    { name: 'each', items: 3, critical: true },
  ])
  expect(kept.attempts.map(({ step, path, resend }) => [step, path, resend])).toEqual([
    ['list', '/list', 0],
    ['each', '/item/1', 0],
    ['each', '/item/2', 0],
    ['each', '/item/3', 0],
  ])
})

test('without tracing at the head nothing is kept that is well, and upstreams are told that it is not', async () => {
  await using setting = await start('sample: 0%')
  await using client = await connect(setting.gateway.port)
  client.send(request('GET', '/chain', { traceparent: sampled.traceparent.replace(/01$/, '00') }))
  await client.response()
  await setting.gateway.idle()
  expect(setting.gateway.traces()).toEqual([])
  expect(setting.origin.requests[0]?.headers['traceparent']).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`))
})
