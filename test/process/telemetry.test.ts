import { expect, test, vi } from 'vitest'
import { ask, request } from '../support/client.ts'
import { type Collector, startCollector } from '../support/collector.ts'
import { startJsonOrigin } from '../support/origin.ts'
import { startProcess } from '../support/process.ts'
import { keepAsking } from './load.ts'

// Each test waits for processes of its own, which on a busy machine take their time to start.
vi.setConfig({ testTimeout: 60_000 })

const config = (origin: string, collector: string) => `listen: { host: 127.0.0.1, port: 0, drain: 0s }
ops: { port: 0 }
telemetry: { sample: 100%, otlp: { url: "${collector}", every: 100ms } }
upstreams: { shop: { endpoints: ["${origin}"] } }
routes:
  - match: GET /ok
    name: ok
    steps: { one: { call: GET shop /ok } }
`

/** Looks up a number in what was pushed last. */
function last(collector: Collector, name: string, attributes: Readonly<Record<string, string>>): number | undefined {
  const metric = collector.metrics.at(-1)?.items.find((one) => one.name === name)
  const fits = (of: Readonly<Record<string, unknown>>) =>
    Object.entries(attributes).every(([key, value]) => of[key] === value)
  return metric?.points.find((point) => fits(point.attributes))?.value
}

test.concurrent('a collector gets the numbers of both loops, and the last of them when the gateway ends', async () => {
  await using origin = await startJsonOrigin({ '/ok': {} })
  await using collector = await startCollector()
  await using gateway = await startProcess(config(origin.url, collector.url))
  const ok = { 'http.route': 'ok', result: 'ok' }
  for (let i = 0; i < 3; i++) await ask(gateway.port, request('GET', '/ok'))
  await collector.until(() => last(collector, 'oneloop.requests', ok) === 3)
  await collector.until(() => last(collector, 'oneloop.loop.listening', { loop: 'data' }) === 1)
  // One that asks no more than this may be counted after the last push but one.
  await ask(gateway.port, request('GET', '/ok'))
  gateway.child.kill('SIGTERM')
  expect(await gateway.ended).toBe(0)
  expect(last(collector, 'oneloop.requests', ok)).toBe(4)
})

test.concurrent(
  'a request that was sampled becomes spans, with the ids that went upstream, and a line of the log',
  async () => {
    await using origin = await startJsonOrigin({ '/ok': {} })
    await using collector = await startCollector()
    await using gateway = await startProcess(config(origin.url, collector.url))
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    await ask(gateway.port, request('GET', '/ok?secret=1', { traceparent, 'x-request-id': 'request-7' }))
    await collector.until(({ spans }) => spans.length === 2)
    const [server, client] = collector.spans
    expect(server).toMatchObject({
      traceId: '0af7651916cd43dd8448eb211c80319c',
      parentSpanId: 'b7ad6b7169203331',
      name: 'GET ok',
      kind: 'server',
      attributes: {
        'http.route': 'ok',
        'url.path': '/ok',
        'http.response.status_code': 200,
        'oneloop.kept': 'sampled',
      },
    })
    expect(client).toMatchObject({
      traceId: server?.traceId,
      parentSpanId: server?.spanId,
      kind: 'client',
      attributes: { 'server.address': '127.0.0.1', 'server.port': origin.port, 'oneloop.step': 'one' },
    })
    expect(origin.requests[0]?.headers['traceparent']).toBe(`00-${client?.traceId}-${client?.spanId}-01`)
    expect((client?.began ?? 0n) >= (server?.began ?? 0n) && (client?.ended ?? 0n) <= (server?.ended ?? 0n)).toBe(true)
    for (const event of client?.events ?? []) expect(event.at <= (client?.ended ?? 0n)).toBe(true)
    expect(await gateway.logged('request')).toMatchObject({
      requestId: 'request-7',
      traceId: server?.traceId,
      why: 'sampled',
      path: '/ok',
      steps: [{ name: 'one' }],
    })
  },
)

test.concurrent('P10: a collector that does not answer is not felt, and holds nobody up in the end', async () => {
  await using origin = await startJsonOrigin({ '/ok': {} })
  await using collector = await startCollector()
  collector.answer = () => false
  await using gateway = await startProcess(config(origin.url, collector.url))
  let left = 2_000
  const asked = await Promise.all(Array.from({ length: 20 }, () => keepAsking(`${gateway.url}/ok`, () => left-- > 0)))
  expect(asked.flatMap(({ failed }) => failed)).toEqual([])
  expect(asked.reduce((sum, { statuses }) => sum + (statuses[200] ?? 0), 0)).toBe(2_000)
  expect((await fetch(`${gateway.opsUrl}/livez`)).status).toBe(200)
  gateway.child.kill('SIGTERM')
  expect(await gateway.ended).toBe(0)
})

test.concurrent('P10: what a collector refuses or is not there for is counted, and told in the log once', async () => {
  await using origin = await startJsonOrigin({ '/ok': {} })
  await using collector = await startCollector()
  collector.answer = (_, outgoing) => {
    outgoing.writeHead(403).end()
    return false
  }
  await using gateway = await startProcess(config(origin.url, collector.url))
  const failed = 'oneloop_otlp_pushes_total{signal="metrics",result="failed"}'
  const value = async (): Promise<number> => {
    const text = await (await fetch(`${gateway.opsUrl}/metrics`)).text()
    return Number(
      text
        .split('\n')
        .find((line) => line.startsWith(failed))
        ?.slice(failed.length),
    )
  }
  while ((await value()) < 2) continue
  expect(gateway.lines('collector takes nothing')).toMatchObject([
    { level: 'warn', signal: 'metrics', why: 'status 403' },
  ])
  await collector[Symbol.asyncDispose]()
  const before = await value()
  while ((await value()) < before + 2) continue
  expect((await ask(gateway.port, request('GET', '/ok'))).status).toBe(200)
  expect(gateway.lines('collector takes nothing')).toHaveLength(1)
})

test.concurrent('how much is logged is changed while it runs', async () => {
  await using origin = await startJsonOrigin({})
  await using gateway = await startProcess(config(origin.url, ''))
  const set = (level: string) => fetch(`${gateway.opsUrl}/api/log?level=${level}`, { method: 'POST' })
  const purge = () => fetch(`${gateway.opsUrl}/api/purge`, { method: 'POST', body: '{"tag":"x"}' })
  expect((await set('error')).status).toBe(200)
  expect(await gateway.logged('log level')).toMatchObject({ level: 'info', logged: 'error' })
  await purge()
  await set('info')
  await gateway.logged('log level', 2)
  expect(gateway.lines('purged')).toEqual([])
  await purge()
  await gateway.logged('purged')
})
