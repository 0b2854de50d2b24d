import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, expect, test, vi } from 'vitest'
import { certify } from '../support/certificate.ts'
import { entryOf } from '../support/entry.ts'
import { freePort } from '../support/process.ts'
import { startRedis, startSentinel } from '../support/redis.ts'
import { type Shared, share, until } from '../support/shared.ts'

// A cluster and sentinels take their time to know each other.
vi.setConfig({ testTimeout: 120_000 })

const folder = mkdtempSync(join(tmpdir(), 'oneloop-redis-'))
afterAll(() => rmSync(folder, { recursive: true }))

function write(name: string, text: string): string {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

/** What two gateways share is kept, told of, and purged. */
async function works(one: Shared, other: Shared): Promise<void> {
  const keys = Array.from({ length: 20 }, (_, i) => `GET users /users/${i}`)
  for (const key of keys) one.tiered.set(key, entryOf(key, { tags: ['all'] }), 60_000)
  for (const key of keys) await until(() => other.changes.includes(key))
  for (const key of keys) await until(async () => (await other.tiered.get(key)) !== null)
  expect(keys.filter((key) => other.memory.get(key) === null)).toEqual([])
  const lease = await one.store.lease(keys[0] as string, 60_000)
  expect([lease?.shared, await other.store.lease(keys[0] as string, 60_000)]).toEqual([true, null])
  lease?.release()
  expect(await one.tiered.purge({ prefix: 'GET users /users/1' })).toBe(11)
  expect(await one.tiered.purge({ tag: 'all' })).toBe(9)
  await until(() => keys.every((key) => other.memory.get(key) === null))
  expect(await Promise.all(keys.map(async (key) => other.tiered.get(key)))).toEqual(keys.map(() => null))
}

test('with user, password and a database of its own', async () => {
  const server = await startRedis(...'--user gate on >p@ss ~* &* +@all --user default off'.split(' '))
  const at = `redis://gate:p%40ss@127.0.0.1:${server.port}/3`
  await using one = await share(at)
  await using other = await share(at)
  await works(one, other)
  await server.stop()
})

test('over TLS, of which the certificate is judged', async () => {
  const authority = certify({})
  const own = certify({ host: '127.0.0.1', by: authority })
  const files = [write('ca.pem', authority.cert), write('cert.pem', own.cert), write('key.pem', own.key)] as const
  // The plain port is there all the same: that of TLS is one that is free.
  const probe = await startRedis()
  await probe.stop()
  const server = await startRedis(
    '--tls-port',
    String(probe.port),
    '--tls-ca-cert-file',
    files[0],
    '--tls-cert-file',
    files[1],
    '--tls-key-file',
    files[2],
    '--tls-auth-clients',
    'no',
  )
  const at = `rediss://127.0.0.1:${probe.port}`
  await using one = await share(at, { tls: { ca: authority.cert } })
  await using other = await share(at, { tls: { ca: authority.cert } })
  await works(one, other)
  await using stranger = await share(at, { ready: false })
  await until(() => stranger.told.length > 0)
  expect([stranger.store.up, stranger.told[0]?.message]).toEqual([false, 'redis away'])
  await server.stop()
})

test('in a cluster, of which each master tells of its own keys', async () => {
  // Not the port for clients and ten thousand, which may be no port at all.
  const buses = [await freePort(), await freePort(), await freePort()]
  const config = (bus: number): string[] => [
    '--cluster-enabled',
    'yes',
    '--cluster-config-file',
    join(folder, `nodes-${bus}.conf`),
    '--cluster-node-timeout',
    '2000',
    '--cluster-port',
    String(bus),
  ]
  const servers = await Promise.all(buses.map((bus) => startRedis(...config(bus))))
  const operators = servers.map(({ port }) => new Redis(port))
  const third = Math.ceil(16_384 / 3)
  for (const [i, operator] of operators.entries()) {
    await operator.call('CLUSTER', 'ADDSLOTSRANGE', i * third, Math.min((i + 1) * third, 16_384) - 1)
    await operator.call('CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1))
  }
  for (const [i, { port }] of servers.entries()) {
    await operators[0]?.call('CLUSTER', 'MEET', '127.0.0.1', port, buses[i] as number)
  }
  for (const operator of operators) {
    await until(async () => String(await operator.cluster('INFO')).includes('cluster_state:ok'))
    await until(async () => String(await operator.cluster('INFO')).includes('cluster_known_nodes:3'))
  }
  const at = `redis+cluster://127.0.0.1:${servers[0]?.port},127.0.0.1:${servers[1]?.port}`
  await using one = await share(at)
  await using other = await share(at)
  await works(one, other)
  for (const operator of operators) operator.disconnect()
  await Promise.all(servers.map((server) => server.stop()))
})

test('by sentinels, who tell which server is the master, also when it is another', async () => {
  const first = await startRedis()
  const second = await startRedis('--replicaof', '127.0.0.1', String(first.port))
  const monitor = [
    `sentinel monitor main 127.0.0.1 ${first.port} 1`,
    'sentinel down-after-milliseconds main 500',
    'sentinel failover-timeout main 2000',
  ]
  const file = write('sentinel.conf', `${monitor.join('\n')}\n`)
  const sentinel = await startSentinel(file)
  const operator = new Redis(sentinel.port)
  await until(async () =>
    JSON.stringify(await operator.call('SENTINEL', 'REPLICAS', 'main')).includes(`:${second.port}`),
  )
  const at = `redis+sentinel://127.0.0.1:${sentinel.port}/main`
  await using one = await share(at)
  await using other = await share(at)
  await works(one, other)
  await first.stop()
  await until(() => !one.store.up && !other.store.up)
  await until(() => [one, other].every(({ store }) => store.up && store.following))
  await until(async () => {
    one.store.set('GET users /again', entryOf('x'), 60_000)
    return (await other.store.get('GET users /again')) !== null
  })
  operator.disconnect()
  await sentinel.stop()
  await second.stop()
})
