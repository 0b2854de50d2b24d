import { afterAll, expect, test, vi } from 'vitest'
import { ask, request } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { json, startOrigin } from '../support/origin.ts'
import { freePort, oneloop, startProcess } from '../support/process.ts'
import { startRedis } from '../support/redis.ts'
import { until } from '../support/shared.ts'

// A thousand clients, and processes, take their time on a busy machine.
vi.setConfig({ testTimeout: 120_000 })

const server = await startRedis()
afterAll(() => server.stop())

const config = (origin: string, redis: string, cache = 'http') => `
cache: { redis: "${redis}" }
upstreams: { shop: { endpoints: ["${origin}"], timeout: 60s } }
routes:
  - match: GET /items/:id
    budget: 60s
    steps: { items: { call: "GET shop /items/{params.id}", cache: ${cache} } }
`

test('R7: a thousand clients of two gateways, as an entry expires, are one call of an upstream', async () => {
  const { promise: may, resolve: answer } = Promise.withResolvers<void>()
  let calls = 0
  await using origin = await startOrigin(async (_, socket) => {
    const call = ++calls
    if (call > 1) await may
    socket.write(json({ call }, 200, { 'cache-control': `max-age=${call === 1 ? 1 : 600}` }))
  })
  await using one = await startGateway(config(origin.url, server.url))
  await using other = await startGateway(config(origin.url, server.url))
  const up = (gateway: typeof one): number => gateway.read('oneloop.redis.up', {})
  await until(() => up(one) === 1 && up(other) === 1)

  expect((await ask(one.port, request('GET', '/items/1'))).json()).toEqual({ items: { call: 1 } })
  expect((await ask(other.port, request('GET', '/items/1'))).json()).toEqual({ items: { call: 1 } })
  expect(calls).toBe(1)
  const receivedBy = Date.now()
  await until(() => Date.now() > receivedBy + 1_100)

  const asked = Array.from({ length: 1_000 }, (_, i) =>
    ask(i % 2 === 0 ? one.port : other.port, request('GET', '/items/1')),
  )
  const active = (gateway: typeof one): number => gateway.read('http.server.active_requests', {})
  await until(() => active(one) === 500 && active(other) === 500)
  answer()
  const bodies = new Set((await Promise.all(asked)).map(({ status, text }) => `${status} ${text}`))
  expect([calls, bodies]).toEqual([2, new Set(['200 {"items":{"call":2}}'])])
})

test('R1: a gateway whose Redis is away is ready, and degraded until it is there', async () => {
  await using origin = await startOrigin((_, socket) => void socket.write(json({ a: 1 })))
  const port = await freePort()
  const yaml = `listen: { host: 127.0.0.1, port: 0 }\nops: { port: 0 }\nloops: 2\n${config(origin.url, `redis://:secret@127.0.0.1:${port}`, '10m')}`
  await using gateway = await startProcess(yaml)
  const degraded = async (): Promise<unknown> => ((await gateway.status()) as unknown as { degraded: unknown }).degraded
  expect(await gateway.logged('redis away')).toMatchObject({
    level: 'warn',
    detail: expect.stringContaining('ECONNREFUSED'),
  })
  expect([await degraded(), (await fetch(`${gateway.opsUrl}/readyz`)).status]).toEqual([['redis'], 200])
  // Each data loop has its own connections; which of them is asked is the kernel's choice.
  for (let i = 0; i < 20; i++) expect((await ask(gateway.port, request('GET', '/items/1'))).status).toBe(200)
  const calls = origin.requests.length
  expect(calls).toBeLessThanOrEqual(2)
  const purge = ['purge', '--key', 'GET shop /items/1', '--ops', gateway.opsUrl]
  expect((await oneloop(purge)).code).toBe(1)
  expect((await ask(gateway.port, request('GET', '/items/1'))).status).toBe(200)
  expect(origin.requests.length).toBe(calls + 1)

  const redis = await startRedis('--port', String(port), '--requirepass', 'secret')
  await until(async () => JSON.stringify(await degraded()) === '[]')
  expect(await gateway.logged('redis connected', 2)).toMatchObject({ level: 'warn' })
  await until(async () => {
    await ask(gateway.port, request('GET', '/items/1'))
    const purged = await oneloop(purge)
    return purged.stdout === '1 entry purged\n'
  })
  expect(gateway.output()).not.toContain('secret')
  await redis.stop()
})

test('without Redis a purge reaches every data loop', async () => {
  await using origin = await startOrigin((_, socket) => void socket.write(json({ a: 1 })))
  const yaml = `listen: { host: 127.0.0.1, port: 0 }\nops: { port: 0 }\nloops: 2\n${config(origin.url, '', '{ ttl: 10m, tags: ["item:{params.id}"] }')}`
  await using gateway = await startProcess(yaml)
  // Until both have fetched it.
  await until(async () => {
    await ask(gateway.port, request('GET', '/items/1'))
    return origin.requests.length === 2
  })
  const purged = await oneloop(['purge', '--tag', 'item:1', '--ops', gateway.opsUrl])
  expect(purged).toMatchObject({ code: 0, stdout: '2 entries purged\n' })
  await until(async () => {
    await ask(gateway.port, request('GET', '/items/1'))
    return origin.requests.length === 4
  })
})
