import { expect, test, vi } from 'vitest'
import { ask, request } from '../support/client.ts'
import { startJsonOrigin } from '../support/origin.ts'
import { startProcess } from '../support/process.ts'

// It waits for a process of its own, which on a busy machine takes its time to start.
vi.setConfig({ testTimeout: 60_000 })

// A channel tells those only who listen on the same thread: what is heard there happens there, on that thread's one loop.
const hooks = `import { subscribe } from 'node:diagnostics_channel'
import { isMainThread, threadId } from 'node:worker_threads'

const heard = new Set()
for (const channel of ['http.server.request.start', 'undici:request:create', 'undici:request:headers']) {
  subscribe(channel, () => heard.add(channel + ' on ' + threadId))
}
export const tell = () => ({ isMainThread, threadId, heard: [...heard].sort() })
`

test('requests are taken in, routed, and answered, and calls are made, on one thread and its one loop; health is told by another', async () => {
  await using origin = await startJsonOrigin({ '/ok': {} })
  await using gateway = await startProcess({
    'hooks.js': hooks,
    'gateway.yaml': `listen: { host: 127.0.0.1, port: 0 }
ops: { port: 0 }
upstreams: { shop: { endpoints: ["${origin.url}"] } }
routes:
  - { match: GET /tell, steps: { one: { call: GET shop /ok }, two: { call: GET shop /ok?2 } }, transform: ./hooks.js#tell }
`,
  })
  const told = async () => (await ask(gateway.port, request('GET', '/tell'))).json() as Record<string, unknown>
  const { isMainThread, threadId, heard } = await told()
  expect(isMainThread).toBe(false)
  expect(heard).toEqual([
    `http.server.request.start on ${String(threadId)}`,
    `undici:request:create on ${String(threadId)}`,
    `undici:request:headers on ${String(threadId)}`,
  ])
  // The control loop's own server is not heard there, since it is not there.
  await gateway.status()
  const again = await told()
  expect([again['threadId'], again['heard']]).toEqual([threadId, heard])
})
