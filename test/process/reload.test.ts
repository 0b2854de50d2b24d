import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { connect, request } from '../support/client.ts'
import { json, startJsonOrigin, startOrigin } from '../support/origin.ts'
import { type GatewayProcess, folderOf, startProcess } from '../support/process.ts'
import { keepAsking } from './load.ts'

// Each test waits for processes of its own, which on a busy machine take their time to start.
vi.setConfig({ testTimeout: 60_000 })

const anywhere = `listen: { host: 127.0.0.1, port: 0 }
ops: { host: 127.0.0.1, port: 0 }
`

/** A config with routes that each make one call of their own path. */
function config(origin: string, paths: readonly string[], more = ''): string {
  const routes = paths.map(
    (path) => `  - { match: GET ${path}, name: ${path.slice(1)}, steps: { one: { call: GET shop ${path} } } }\n`,
  )
  return `${anywhere}${more}upstreams: { shop: { endpoints: ["${origin}"] } }\nroutes:\n${routes.join('')}`
}

const statusOf = async (gateway: GatewayProcess, path: string): Promise<number> =>
  (await fetch(`${gateway.url}${path}`)).status

interface ConfigStatus {
  readonly reloads: { readonly ok: number; readonly refused: number }
  readonly restart: readonly string[]
  readonly faults: readonly string[]
}
const configOf = async (gateway: GatewayProcess): Promise<ConfigStatus> =>
  ((await gateway.status()) as unknown as { config: ConfigStatus }).config

/** Writes the config anew and has it read by a signal; gives the log line that tells how that went. */
async function reload(gateway: GatewayProcess, files: Readonly<Record<string, string>>, refused = false) {
  const line = refused ? 'config refused, the one before stays' : 'config reloaded'
  const before = gateway.lines(line).length
  for (const [name, text] of Object.entries(files)) writeFileSync(join(gateway.folder, name), text)
  gateway.child.kill('SIGHUP')
  return gateway.logged(line, before + 1)
}

/** Waits until what is counted of the requests of a route is as many as expected. */
async function counted(gateway: GatewayProcess, route: string, count: number): Promise<void> {
  for (;;) {
    const { series } = await gateway.status()
    const found = series.filter((one) => one.name === 'oneloop.requests' && one.attributes['http.route'] === route)
    if (found.reduce((sum, { value }) => sum + value, 0) === count) return
  }
}

test.concurrent.each([1, 2])('SIGHUP takes up the config as it is now, with %i data loops', async (loops) => {
  const more = `loops: ${loops}\n`
  await using origin = await startJsonOrigin({ '/a': 1, '/b': 2, '/c': 3 })
  await using gateway = await startProcess(config(origin.url, ['/a', '/b'], more))
  expect([await statusOf(gateway, '/a'), await statusOf(gateway, '/b'), await statusOf(gateway, '/c')]).toEqual([
    200, 200, 404,
  ])
  await counted(gateway, 'b', 1)

  const told = await reload(gateway, { 'gateway.yaml': config(origin.url, ['/b', '/c'], more) })
  expect(told).toMatchObject({ level: 'info', why: 'SIGHUP', restart: [] })
  // More than one connection, so that each data loop is asked.
  const all = await Promise.all(Array.from({ length: 20 }, () => statusOf(gateway, '/a')))
  expect(new Set(all)).toEqual(new Set([404]))
  expect([await statusOf(gateway, '/b'), await statusOf(gateway, '/c')]).toEqual([200, 200])
  expect(await configOf(gateway)).toMatchObject({ reloads: { ok: 1, refused: 0 }, restart: [], faults: [] })
  // What persists is counted on.
  await counted(gateway, 'b', 2)
  await counted(gateway, 'c', 1)
})

test.concurrent('P4: a faulty config is refused with its places, and the one before stays', async () => {
  await using origin = await startJsonOrigin({ '/a': 1, '/b': 1 })
  const sound = config(origin.url, ['/a'])
  await using gateway = await startProcess({
    'gateway.yaml': sound,
    'hook.ts': 'export const shape = (): object => ({})',
  })
  const faulty = await reload(gateway, { 'gateway.yaml': sound.replace('GET shop', 'GET shpo') }, true)
  const where = expect.stringMatching(/gateway\.yaml:5:\d+: no upstream "shpo"; did you mean "shop"\?$/)
  expect(faulty).toMatchObject({ level: 'error', faults: [where] })
  expect(await statusOf(gateway, '/a')).toBe(200)
  expect(await configOf(gateway)).toMatchObject({ reloads: { ok: 0, refused: 1 }, faults: [where] })

  const numbers = await (await fetch(`${gateway.opsUrl}/metrics`)).text()
  expect(numbers).toMatch(/^oneloop_config_reloads_total\{result="refused"\} 1$/m)
  expect(numbers).toMatch(/^oneloop_config_outdated 1$/m)

  // What only a data loop finds out.
  const hooked = sound.replace(/ \}\n$/, ', transform: "./hook.ts#shpae" }\n')
  const unbuilt = await reload(gateway, { 'gateway.yaml': hooked }, true)
  expect(unbuilt['faults']).toEqual([
    expect.stringMatching(/gateway\.yaml:5:\d+: .*hook\.ts exports no function "shpae"$/),
  ])
  expect(await statusOf(gateway, '/a')).toBe(200)

  const revision = async (): Promise<string | undefined> =>
    /^oneloop_config_info\{revision="(.*)"\} 1$/m.exec(await (await fetch(`${gateway.opsUrl}/metrics`)).text())?.[1]
  const before = await revision()
  await reload(gateway, { 'gateway.yaml': config(origin.url, ['/b']) })
  expect(await statusOf(gateway, '/b')).toBe(200)
  expect(await revision()).not.toBe(before)
  expect(await configOf(gateway)).toMatchObject({ reloads: { ok: 1, refused: 2 }, faults: [] })
})

test.concurrent('POST /api/reload answers what came of it, and whoever may not change things is refused', async () => {
  await using origin = await startJsonOrigin({ '/a': 1, '/b': 1 })
  await using gateway = await startProcess(config(origin.url, ['/a']))
  const post = (headers = {}) => fetch(`${gateway.opsUrl}/api/reload`, { method: 'POST', headers })
  writeFileSync(join(gateway.folder, 'gateway.yaml'), config(origin.url, ['/b'], 'loops: 2\n'))
  expect((await post({ origin: 'http://elsewhere.example' })).status).toBe(403)
  const done = await post()
  expect([done.status, await done.json()]).toEqual([200, { restart: ['loops'], warnings: [] }])
  expect(await statusOf(gateway, '/b')).toBe(200)
  writeFileSync(join(gateway.folder, 'gateway.yaml'), 'routes: []')
  const refused = await post()
  expect([refused.status, refused.headers.get('content-type')]).toEqual([422, 'application/problem+json'])
  expect(await refused.json()).toMatchObject({
    faults: [expect.stringMatching(/gateway\.yaml:1:\d+: expected at least one route$/)],
  })
  expect(await statusOf(gateway, '/b')).toBe(200)
})

test.concurrent('a request under way keeps its config, to its end', async () => {
  const { promise: may, resolve: goOn } = Promise.withResolvers<void>()
  await using origin = await startOrigin(async (_, socket) => {
    await may
    socket.write(json('late'))
  })
  const responding = (text: string): string =>
    `${anywhere}upstreams: { shop: { endpoints: ["${origin.url}"], connections: 7 } }\nroutes:\n` +
    `  - { match: GET /a, steps: { one: { call: GET shop /a } }, response: { ${text}: "{one}" } }\n`
  await using gateway = await startProcess(responding('before'))
  await using client = await connect(gateway.port)
  client.send(request('GET', '/a'))
  await origin.until(({ requests }) => requests.length === 1)
  // Its upstream is another one as well.
  await reload(gateway, { 'gateway.yaml': responding('after').replace('connections: 7', 'connections: 8') })
  expect((await gateway.status()) as unknown).toMatchObject({ draining: 1 })
  goOn()
  expect((await client.response()).json()).toEqual({ before: 'late' })
  client.send(request('GET', '/a'))
  expect((await client.response()).json()).toEqual({ after: 'late' })
  while (((await gateway.status()) as unknown as { draining: number }).draining > 0);
  // The connection of the old one is closed, that of the new one is open.
  await origin.until(({ open, opened }) => open === 1 && opened === 2)
})

test.concurrent('an upstream that stays as it was keeps its connections, and what was learned of it', async () => {
  await using origin = await startJsonOrigin({ '/a': 1, '/b': 2 })
  await using gateway = await startProcess(config(origin.url, ['/a']))
  expect(await statusOf(gateway, '/a')).toBe(200)
  await reload(gateway, { 'gateway.yaml': config(origin.url, ['/a', '/b']) })
  expect(await statusOf(gateway, '/b')).toBe(200)
  expect(origin.opened).toBe(1)
})

test.concurrent('what only a restart takes up is told, and the rest is taken up', async () => {
  await using origin = await startJsonOrigin({ '/a': 1, '/b': 2 })
  await using gateway = await startProcess(config(origin.url, ['/a']))
  const moved = config(origin.url, ['/b'], 'loops: 2\n').replace('port: 0', 'port: 1')
  expect(await reload(gateway, { 'gateway.yaml': moved })).toMatchObject({ restart: ['listen.port', 'loops'] })
  expect(await statusOf(gateway, '/b')).toBe(200)
  expect(await configOf(gateway)).toMatchObject({ restart: ['listen.port', 'loops'] })
  expect((await gateway.status()).loops.length).toBe(1)
  // Back as it was, nothing is left to be told.
  expect(await reload(gateway, { 'gateway.yaml': config(origin.url, ['/b']) })).toMatchObject({ restart: [] })
})

test.concurrent('a file that changes is taken up by itself: the config, what it includes, a transform', async () => {
  await using origin = await startJsonOrigin({ '/a': 1, '/b': 2 })
  const hook = (text: string): string => `export const shape = (): object => ({ hook: '${text}' })`
  await using gateway = await startProcess({
    'gateway.yaml': config(origin.url, ['/a'], 'include: ["more-*.yaml"]\n'),
    'hook.ts': hook('one'),
  })
  const change = async (name: string, text: string): Promise<void> => {
    const before = gateway.lines('config reloaded').length
    writeFileSync(join(gateway.folder, name), text)
    expect(await gateway.logged('config reloaded', before + 1)).toMatchObject({ why: 'changed' })
  }
  const shaped = async () => (await fetch(`${gateway.url}/b`)).json()
  await change(
    'more-b.yaml',
    'routes: [ { match: GET /b, steps: { one: { call: GET shop /b } }, transform: "./hook.ts#shape" } ]',
  )
  expect(await shaped()).toEqual({ hook: 'one' })
  await change('hook.ts', hook('another'))
  expect(await shaped()).toEqual({ hook: 'another' })
})

test.concurrent('a ConfigMap of Kubernetes is taken up when its links are swapped', async () => {
  await using origin = await startJsonOrigin({ '/a': 1, '/b': 2 })
  using mount = folderOf({})
  const version = (name: string, path: string): void => {
    mkdirSync(join(mount.path, name))
    writeFileSync(join(mount.path, name, 'gateway.yaml'), config(origin.url, [path]))
    symlinkSync(name, join(mount.path, '..data_tmp'))
    renameSync(join(mount.path, '..data_tmp'), join(mount.path, '..data'))
  }
  version('..one', '/a')
  // As the kubelet does it: the file is a link into a folder that is a link.
  symlinkSync(join('..data', 'gateway.yaml'), join(mount.path, 'mounted.yaml'))
  await using gateway = await startProcess({}, { config: join(mount.path, 'mounted.yaml') })
  expect(await statusOf(gateway, '/a')).toBe(200)
  version('..two', '/b')
  await gateway.logged('config reloaded')
  expect([await statusOf(gateway, '/a'), await statusOf(gateway, '/b')]).toEqual([404, 200])
})

test.concurrent(
  'P3: no request fails while the config is loaded anew again and again, and memory is flat',
  async () => {
    // Heap in use once all that is garbage is gone, as the data loop itself sees it.
    const hook = `import { memoryUsage } from 'node:process'
export const heap = (): object => {
  gc()
  return { bytes: memoryUsage().heapUsed }
}`
    await using origin = await startJsonOrigin({ '/a': 1, '/b': 2 })
    const other = await startJsonOrigin({ '/a': 1, '/b': 2 })
    const heapRoute = '  - { match: GET /heap, steps: { one: { call: GET shop /a } }, transform: "./hook.ts#heap" }\n'
    // Now this route, now that, and another upstream each time.
    const versions = [`${config(origin.url, ['/a'])}${heapRoute}`, `${config(other.url, ['/a', '/b'])}${heapRoute}`]
    await using gateway = await startProcess(
      { 'gateway.yaml': versions[0] as string, 'hook.ts': hook },
      { env: { NODE_OPTIONS: '--expose-gc' } },
    )
    const heap = async (): Promise<number> =>
      ((await (await fetch(`${gateway.url}/heap`)).json()) as { bytes: number }).bytes

    let done = false
    const asking = Array.from({ length: 4 }, () => keepAsking(`${gateway.url}/a`, () => !done))
    const reloads = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) await reload(gateway, { 'gateway.yaml': versions[(i + 1) % 2] as string })
    }
    await reloads(20)
    const before = await heap()
    await reloads(40)
    const after = await heap()
    done = true
    const asked = await Promise.all(asking)
    expect(asked.flatMap(({ failed }) => failed)).toEqual([])
    expect(new Set(asked.flatMap(({ statuses }) => Object.keys(statuses)))).toEqual(new Set(['200']))
    // A gateway that stayed would be some 200 kB: forty of them would show.
    expect(after - before).toBeLessThan(2_000_000)
    expect(await configOf(gateway)).toMatchObject({ reloads: { ok: 60, refused: 0 } })
    while (((await gateway.status()) as unknown as { draining: number }).draining > 0);
    await other[Symbol.asyncDispose]()
  },
)
