import { expect, onTestFinished, test, vi } from 'vitest'
import { ask, request } from '../support/client.ts'
import { startJsonOrigin } from '../support/origin.ts'
import { startProcess } from '../support/process.ts'
import { startRedis } from '../support/redis.ts'

// It waits for a process of its own, which on a busy machine takes its time to start.
vi.setConfig({ testTimeout: 60_000 })

// A channel tells those only who listen on the same thread: what is heard there happens there, on that thread's one loop.
const hooks = `import { subscribe } from 'node:diagnostics_channel'
import { isMainThread, threadId } from 'node:worker_threads'

const heard = new Set()
const channels = ['http.server.request.start', 'undici:request:create', 'undici:request:headers', 'tracing:ioredis:command:asyncEnd']
for (const channel of channels) {
  subscribe(channel, () => heard.add(channel + ' on ' + threadId))
}
export const tell = () => ({ isMainThread, threadId, heard: [...heard].sort() })
`

test('requests are taken in, routed, and answered, calls are made, and Redis is asked, on one thread and its one loop; health is told by another', async () => {
  await using origin = await startJsonOrigin({ '/ok': {} })
  const redis = await startRedis()
  onTestFinished(() => redis.stop())
  await using gateway = await startProcess({
    'hooks.js': hooks,
    'gateway.yaml': `listen: { host: 127.0.0.1, port: 0 }
ops: { port: 0 }
cache: { redis: "${redis.url}" }
upstreams: { shop: { endpoints: ["${origin.url}"] } }
routes:
  - { match: GET /tell, steps: { one: { call: GET shop /ok, cache: 1m }, two: { call: GET shop /ok?2 } }, transform: ./hooks.js#tell }
`,
  })
  const told = async () => (await ask(gateway.port, request('GET', '/tell'))).json() as Record<string, unknown>
  const { isMainThread, threadId } = await told()
  expect(isMainThread).toBe(false)
  // What Redis has answered to is heard when it has, which no request waits for.
  const wanted = `tracing:ioredis:command:asyncEnd on ${String(threadId)}`
  let { heard } = await told()
  while (!(heard as string[]).includes(wanted)) ({ heard } = await told())
  expect(heard).toEqual([
    `http.server.request.start on ${String(threadId)}`,
    wanted,
    `undici:request:create on ${String(threadId)}`,
    `undici:request:headers on ${String(threadId)}`,
  ])
  // The control loop's own server is not heard there, since it is not there.
  await gateway.status()
  const again = await told()
  expect([again['threadId'], again['heard']]).toEqual([threadId, heard])
})
