import { expect, test } from 'vitest'
import type { Otlp } from '../../src/config/otlp.ts'
import { type Push, otlp } from '../../src/ops/otlp.ts'
import { vitalNumbers } from '../../src/ops/vitals.ts'
import type { Reading } from '../../src/telemetry/instruments.ts'
import type { Kept } from '../../src/telemetry/record.ts'
import { type Collector, startCollector, taking } from '../support/collector.ts'
import { attemptOf, keptOf, stepOf } from './kept.ts'

interface Pushing {
  readonly push: Push
  readonly logged: readonly (readonly [string, string, object])[]
  /** Reads one number of what became of the pushes. */
  readonly count: (name: 'pushes' | 'dropped', signal: string, result?: string) => number
}

// Numbers are pushed in the end only, unless a test says otherwise.
function pushTo(
  collector: Pick<Collector, 'url'>,
  more: Partial<Otlp> = {},
  readings: readonly Reading[] = [],
): Pushing {
  const numbers = vitalNumbers(['data'], { cgroup: false, descriptors: false })
  const logged: [string, string, object][] = []
  const options = { url: collector.url, headers: {}, every: 3_600_000, resource: {}, ...more }
  const push = otlp(options, {
    numbers,
    readings: () => readings,
    log: (level, message, fields = {}) => void logged.push([level, message, fields]),
    version: '1.2.3',
  })
  return {
    push,
    logged,
    count: (name, signal, result) =>
      numbers
        .read()
        .filter(({ name: of, attributes }) => of === `oneloop.otlp.${name}` && attributes['signal'] === signal)
        .filter(({ attributes }) => result === undefined || attributes['result'] === result)
        .reduce((sum, { value }) => sum + value, 0),
  }
}

/** Has a record pushed, and gives the spans that arrive. */
async function spansOf(kept: Kept) {
  await using collector = await startCollector()
  const { push } = pushTo(collector)
  push.traces([kept])
  await collector.until(({ spans }) => spans.length > 0)
  await push.close(5_000)
  return collector.spans
}

const ns = (ms: number): bigint => BigInt(Math.round(ms * 1e6))
const at = (ms: number): bigint => 1_700_000_000_000_500_000n * 1n + ns(ms)

test('a request becomes a span of the server and one of a client for each attempt, with their own ids and times', async () => {
  const [server, client, ...others] = await spansOf(
    keptOf({ parentSpanId: 'c0ffee00c0ffee00', tracestate: 'vendor=1', attempts: [attemptOf()] }),
  )
  expect(others).toEqual([])
  expect(server).toEqual({
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: 'b7ad6b7169203331',
    parentSpanId: 'c0ffee00c0ffee00',
    traceState: 'vendor=1',
    name: 'GET country-profile',
    kind: 'server',
    began: at(0),
    ended: at(10.25),
    status: { code: 0, message: '' },
    attributes: {
      'http.request.method': 'GET',
      'http.route': 'country-profile',
      'url.path': '/v1/countries/NO',
      'http.response.status_code': 200,
      'oneloop.request.id': 'request-1',
      'oneloop.result': 'ok',
      'oneloop.kept': 'sampled',
      'oneloop.busy_ms': 0.75,
      'oneloop.loop_wait_ms': 0.5,
      'oneloop.loop.utilization': 0.25,
      'oneloop.critical_path': ['country'],
    },
    events: [{ name: 'merge', at: at(7), attributes: {} }],
  })
  expect(client).toEqual({
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: 'a1a1a1a1a1a1a1a1',
    parentSpanId: 'b7ad6b7169203331',
    traceState: 'vendor=1',
    name: 'GET countries',
    kind: 'client',
    began: at(1),
    ended: at(6.5),
    status: { code: 0, message: '' },
    attributes: {
      'http.request.method': 'GET',
      'server.address': '127.0.0.1',
      'server.port': 4101,
      // What a query holds is nobody's business.
      'url.full': 'http://127.0.0.1:4101/base/countries/NO',
      'http.response.status_code': 200,
      'oneloop.step': 'country',
      'oneloop.upstream': 'countries',
      'oneloop.loop_wait_ms': 0.25,
    },
    events: [
      { name: 'connection assigned', at: at(1.5), attributes: {} },
      { name: 'connected', at: at(2), attributes: {} },
      { name: 'request sent', at: at(2.25), attributes: {} },
      { name: 'response head', at: at(5), attributes: {} },
    ],
  })
})

test('what failed is an error with its name; what was sent again says how often', async () => {
  const failed = attemptOf({ error: 'connection_refused', headMs: 0, sentMs: 0, queuedMs: 0, connectMs: 0 })
  const unanswered = Object.fromEntries(Object.entries(failed).filter(([key]) => key !== 'status')) as typeof failed
  const [server, first, second] = await spansOf(
    keptOf({
      status: 502,
      result: 'connection_refused',
      why: 'failed',
      route: 'GET /v1/countries/:code',
      attempts: [unanswered, { ...unanswered, spanId: 'a2a2a2a2a2a2a2a2', resend: 1, hedge: true }],
      steps: [stepOf({ error: 'connection_refused' })],
    }),
  )
  expect(server).toMatchObject({
    name: 'GET /v1/countries/:code',
    parentSpanId: '',
    status: { code: 2, message: 'connection_refused' },
    attributes: { 'error.type': 'connection_refused', 'http.response.status_code': 502, 'oneloop.kept': 'failed' },
  })
  expect(server?.events[0]).toEqual({
    name: 'step failed',
    at: at(7),
    attributes: {
      'oneloop.step': 'country',
      'oneloop.upstream': 'countries',
      'error.type': 'connection_refused',
      'oneloop.optional': false,
    },
  })
  expect(first).toMatchObject({ status: { code: 2, message: 'connection_refused' }, events: [] })
  expect(first?.attributes).not.toHaveProperty('http.request.resend_count')
  expect(first?.attributes).not.toHaveProperty('http.response.status_code')
  expect(second?.attributes).toMatchObject({
    'http.request.resend_count': 1,
    'oneloop.hedge': true,
    'error.type': 'connection_refused',
  })
})

test('an attempt whose endpoint is an address has that; a moment after its end is none of its own', async () => {
  const attempt = attemptOf({ endpoint: '[::1]:8080', headMs: 7 })
  const [, client] = await spansOf(keptOf({ attempts: [attempt] }))
  expect(client?.attributes).toMatchObject({
    'server.address': '[::1]',
    'server.port': 8080,
    'url.path': '/base/countries/NO',
  })
  expect(client?.events.map(({ name }) => name)).toEqual(['connection assigned', 'connected', 'request sent'])
})

test('what a client did wrong is no error of the span', async () => {
  const [server] = await spansOf(keptOf({ status: 400, result: 'client_error', attempts: [], steps: [] }))
  expect(server).toMatchObject({ status: { code: 0 }, events: [] })
  expect(server?.attributes).not.toHaveProperty('error.type')
})

test('what the cache said, what was skipped, and how many calls an item each made, are events of the server', async () => {
  const [server] = await spansOf(
    keptOf({
      attempts: [],
      steps: [
        stepOf({ cache: 'hit', endedMs: 1.25, critical: false }),
        stepOf({ name: 'weather', skipped: true, endedMs: 1, critical: false }),
        stepOf({ name: 'neighbours', items: 3, endedMs: 9 }),
      ],
    }),
  )
  const upstream = { 'oneloop.upstream': 'countries' }
  expect(server?.attributes['oneloop.critical_path']).toEqual(['neighbours'])
  expect(server?.events).toEqual([
    { name: 'cache', at: at(1.25), attributes: { 'oneloop.step': 'country', ...upstream, 'oneloop.cache': 'hit' } },
    { name: 'step skipped', at: at(1), attributes: { 'oneloop.step': 'weather', ...upstream } },
    { name: 'items', at: at(9), attributes: { 'oneloop.step': 'neighbours', ...upstream, 'oneloop.items': 3 } },
    { name: 'merge', at: at(9), attributes: {} },
  ])
})

const readings: readonly Reading[] = [
  {
    name: 'oneloop.calls',
    kind: 'counter',
    unit: '{call}',
    description: 'Calls.',
    attributes: { upstream: 'a' },
    value: 3,
  },
  {
    name: 'oneloop.calls',
    kind: 'counter',
    unit: '{call}',
    description: 'Calls.',
    attributes: { upstream: 'b' },
    value: 0,
  },
  { name: 'process.memory.usage', kind: 'gauge', unit: 'By', description: 'Memory.', attributes: {}, value: 1.5 },
  {
    name: 'http.server.request.duration',
    kind: 'histogram',
    unit: 's',
    description: 'Time.',
    attributes: { 'http.route': 'r' },
    value: 12.25,
    bounds: [0.0005, 1],
    buckets: [2, 1, 4],
  },
]

test('numbers are pushed at even intervals, as what they are, with the resource and the headers of the config', async () => {
  await using collector = await startCollector()
  const resource = { 'service.name': 'shop', 'deployment.environment.name': 'test' }
  const { push, count } = pushTo(collector, { every: 50, headers: { authorization: 'Bearer x' }, resource }, readings)
  await collector.until(({ metrics }) => metrics.length >= 2)
  await push.close(5_000)
  const [first, second] = collector.metrics
  expect(first?.headers).toMatchObject({ authorization: 'Bearer x', 'user-agent': 'oneloop/1.2.3' })
  expect(first?.resource).toMatchObject({ ...resource, 'service.version': '1.2.3', 'process.pid': process.pid })
  expect(first?.scope).toEqual({ name: 'oneloop', version: '1.2.3' })
  const [calls, memory, durations, ...others] = first?.items ?? []
  expect(others).toEqual([])
  expect(calls).toMatchObject({
    name: 'oneloop.calls',
    kind: 'sum',
    unit: '{call}',
    description: 'Calls.',
    isMonotonic: true,
    isCumulative: true,
    points: [
      { attributes: { upstream: 'a' }, value: 3 },
      { attributes: { upstream: 'b' }, value: 0 },
    ],
  })
  expect(memory).toMatchObject({
    name: 'process.memory.usage',
    kind: 'gauge',
    points: [{ attributes: {}, value: 1.5 }],
  })
  expect(durations).toMatchObject({
    kind: 'histogram',
    isCumulative: true,
    points: [{ attributes: { 'http.route': 'r' }, value: 12.25, bounds: [0.0005, 1], counts: [2, 1, 4] }],
  })
  // It is one counter that goes on: the beginning stays, the end moves.
  const times = [first, second].map((one) => one?.items[0]?.points[0])
  expect(times[1]?.began).toBe(times[0]?.began)
  expect(times[1]?.at).toBeGreaterThan(times[0]?.at ?? 0n)
  expect(times[0]?.at).toBeGreaterThan(times[0]?.began ?? 0n)
  expect(count('pushes', 'metrics', 'ok')).toBe(collector.metrics.length)
  expect(count('dropped', 'metrics')).toBe(0)
})

test('a collector that is overloaded gets the same traces again; the log tells when it went and came back', async () => {
  await using collector = await startCollector()
  let asked = 0
  collector.answer = (incoming, outgoing) => {
    if (++asked > 2) return taking(incoming, outgoing)
    outgoing.writeHead(503).end()
    return false
  }
  const { push, count, logged } = pushTo(collector)
  push.traces([keptOf()])
  await collector.until(({ spans }) => spans.length > 0)
  await push.close(5_000)
  expect(collector.spans).toHaveLength(2)
  expect([count('pushes', 'traces', 'failed'), count('pushes', 'traces', 'ok'), count('dropped', 'traces')]).toEqual([
    2, 1, 0,
  ])
  expect(logged).toEqual([
    ['warn', 'collector takes nothing', { signal: 'traces', why: 'status 503' }],
    ['info', 'collector is back', { signal: 'traces' }],
  ])
})

test('what a collector refuses for good is dropped, counted, and not sent again', async () => {
  await using collector = await startCollector()
  collector.answer = (_, outgoing) => {
    outgoing.writeHead(400).end()
    return false
  }
  const { push, count } = pushTo(collector, {}, readings)
  push.traces([keptOf(), keptOf({ attempts: [] })])
  await push.close(5_000)
  expect([count('pushes', 'traces', 'failed'), count('dropped', 'traces')]).toEqual([1, 3])
  expect([count('pushes', 'metrics', 'failed'), count('dropped', 'metrics')]).toEqual([1, readings.length])
})

test('what a collector says it left out is counted', async () => {
  await using collector = await startCollector()
  // ExportTraceServiceResponse { partial_success (1): { rejected_spans (1): 2, error_message (2): "no" } }
  const partly = Buffer.from([0x0a, 0x06, 0x08, 0x02, 0x12, 0x02, 0x6e, 0x6f])
  collector.answer = (_, outgoing) => {
    outgoing.writeHead(200).end(partly)
    return true
  }
  const { push, count, logged } = pushTo(collector)
  push.traces([keptOf()])
  await collector.until(({ spans }) => spans.length > 0)
  await push.close(5_000)
  expect(count('dropped', 'traces')).toBe(2)
  expect(logged).toContainEqual(['warn', 'collector takes a part', { signal: 'traces', rejected: 2, why: 'no' }])
})

test('P10: while a collector answers nothing traces wait up to a bound, and the rest is dropped at once and counted', async () => {
  await using collector = await startCollector()
  let asked = 0
  collector.answer = () => {
    asked++
    return false
  }
  const { push, count } = pushTo(collector)
  const ten = keptOf({ attempts: Array.from({ length: 9 }, () => attemptOf()) })
  const batch = Array.from({ length: 1_000 }, () => ten)
  push.traces(batch)
  expect(count('dropped', 'traces')).toBe(10_000 - 8_190)
  await collector.until(() => asked > 0)
  push.traces(batch)
  expect(count('dropped', 'traces')).toBe(20_000 - 8_190)
  // One at a time: it is not asked again before it has answered or its time is over.
  expect(asked).toBe(1)
  // Nor is it waited for in the end longer than that.
  await push.close(10)
})

test('P10: a collector that is away costs nothing, and what it missed meanwhile comes when it is there', async () => {
  const gone = await startCollector()
  await gone[Symbol.asyncDispose]()
  const { push, count, logged } = pushTo(gone)
  push.traces([keptOf()])
  while (count('pushes', 'traces', 'failed') === 0) await new Promise((resolve) => setImmediate(resolve))
  expect(logged).toMatchObject([['warn', 'collector takes nothing', { signal: 'traces' }]])
  await using collector = await startCollector(Number(new URL(gone.url).port))
  await collector.until(({ spans }) => spans.length > 0)
  await push.close(5_000)
  expect(collector.spans).toHaveLength(2)
  expect(count('dropped', 'traces')).toBe(0)
})

test('an answer without end does not fill the memory', async () => {
  await using collector = await startCollector()
  let written = 0
  collector.answer = (_, outgoing) => {
    outgoing.writeHead(200)
    const more = (): void => {
      while (!outgoing.destroyed && outgoing.write(Buffer.alloc(16_384))) written++
    }
    outgoing.on('drain', more)
    more()
    return false
  }
  const { push, count } = pushTo(collector)
  push.traces([keptOf()])
  while (count('pushes', 'traces', 'failed') === 0) await new Promise((resolve) => setImmediate(resolve))
  expect(written).toBeLessThan(10_000)
  await push.close(10)
})
