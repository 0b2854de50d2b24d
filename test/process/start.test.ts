import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { describe, expect, test, vi } from 'vitest'
import { json, startJsonOrigin, startOrigin } from '../support/origin.ts'
import { freePort, launch, oneloop, startProcess } from '../support/process.ts'

// Each test waits for processes of its own, which on a busy machine take their time to start.
vi.setConfig({ testTimeout: 60_000 })

const start = ['start', '--config', 'gateway.yaml']
const anywhere = `listen: { host: 127.0.0.1, port: 0 }
ops: { host: 127.0.0.1, port: 0 }
`
const route = `upstreams: { shop: { endpoints: ["http://127.0.0.1:1"] } }
routes:
  - match: GET /items
    steps: { items: { call: GET shop /items } }
`

describe('what cannot start says why and exits 1', { concurrent: true }, () => {
  test('a wrong config never starts: every fault is told', async () => {
    const yaml = `${anywhere}upstreams: { shop: { endpoints: [] } }\nroutes:\n  - match: GET\n    budgett: 1s\n    steps: { items: { call: GET shop /items } }\n`
    const { code, stdout, stderr } = await oneloop(start, yaml)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr.trimEnd().split('\n')).toEqual([
      'gateway.yaml:3:22: expected at least one endpoint',
      'gateway.yaml:5:12: expected METHOD /path such as GET /v1/countries/:code',
      'gateway.yaml:6:5: unknown key "budgett"; did you mean "budget"?',
      'oneloop: 3 faults in the config',
    ])
  })

  test('an unset variable is one line that names it', async () => {
    const { code, stderr } = await oneloop(start, `${anywhere}${route.replace('127.0.0.1:1', '${SHOP_HOST}')}`)
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr:
        'gateway.yaml:3:34: the variable SHOP_HOST is not set; ${SHOP_HOST:-default} gives it a default\n' +
        'oneloop: 1 fault in the config\n',
    })
  })

  test('a file that cannot be read is one line', async () => {
    const { code, stderr } = await oneloop(['start', '--config', 'other.yaml'], route)
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: 'other.yaml:1:1: cannot be read: no such file\noneloop: 1 fault in the config\n',
    })
  })

  test('a transform that cannot be loaded, or is not exported, is told at its place, and nothing is left running', async () => {
    const { code, stdout, stderr } = await oneloop(start, {
      'gateway.yaml': `${anywhere}${route}    transform: ./hook.ts#shape
  - match: GET /other
    steps: { items: { call: GET shop /items } }
    transform: ./broken.ts#shape
`,
      // Would keep a process alive whose data loop is not ended.
      'hook.ts': 'setInterval(() => {}, 1000)\nexport const shpae = (): object => ({})',
      'broken.ts': 'throw new Error("no database")',
    })
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr.trimEnd().split('\n')).toEqual([
      expect.stringMatching(/^gateway\.yaml:7:16: .*hook\.ts exports no function "shape"$/),
      expect.stringMatching(/^gateway\.yaml:10:16: .*broken\.ts cannot be loaded: no database$/),
      'oneloop: 2 faults in the config',
    ])
  })

  test.each([
    ['the port of clients', 1, (port: number) => `listen: { host: 127.0.0.1, port: ${port} }\nops: { port: 0 }\n`],
    [
      'the port of clients, with several data loops',
      2,
      (port: number) => `listen: { host: 127.0.0.1, port: ${port} }\nops: { port: 0 }\n`,
    ],
    ['the ops port', 1, (port: number) => `listen: { host: 127.0.0.1, port: 0 }\nops: { port: ${port} }\n`],
  ])('a port in use is one clear line: %s', async (_which, loops, ports) => {
    // Shared, as that of a gateway with several loops is: whoever else would share it must find out all the same.
    const taken = createServer().listen({ host: '127.0.0.1', port: 0, reusePort: true })
    await once(taken, 'listening')
    const { port } = taken.address() as AddressInfo
    const { code, stdout, stderr } = await oneloop(start, `loops: ${loops}\n${ports(port)}${route}`)
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: '',
      stderr: `oneloop: 127.0.0.1:${port} is in use\n`,
    })
    taken.close()
  })

  test('an address that is not of this machine, or a name that no one knows, is one clear line', async () => {
    const at = (listen: string, ops: string) => oneloop(start, `listen: ${listen}\nops: ${ops}\n${route}`)
    const [address, name] = await Promise.all([
      at('{ host: 192.0.2.1, port: 4000 }', '{ port: 0 }'),
      at('{ host: 127.0.0.1, port: 0 }', '{ host: nowhere.invalid, port: 4000 }'),
    ])
    expect(address).toEqual({
      code: 1,
      stdout: '',
      stderr: 'oneloop: 192.0.2.1:4000 is not an address of this machine\n',
    })
    expect(name).toEqual({ code: 1, stdout: '', stderr: 'oneloop: nowhere.invalid cannot be resolved\n' })
  })
})

describe('start', () => {
  test('warnings are told and it serves all the same', async () => {
    await using origin = await startJsonOrigin({ '/items': ['a'] })
    await using gateway = await startProcess(
      `${anywhere}upstreams:
  shop: { endpoints: ["${origin.url}"] }
  idle: { endpoints: ["${origin.url}"] }
routes:
  - match: GET /items
    steps: { items: { call: GET shop /items } }
`,
    )
    expect(gateway.output()).toContain('nothing uses upstream "idle" (warning)')
    expect(await (await fetch(`${gateway.url}/items`)).json()).toEqual({ items: ['a'] })
    expect((await fetch(`${gateway.opsUrl}/readyz`)).status).toBe(200)
  })

  test('while it starts it is alive and not yet ready', async () => {
    const { promise: may, resolve: goOn } = Promise.withResolvers<void>()
    await using origin = await startOrigin(async (_, socket) => {
      // The hook waits for this answer, and the data loop for its hook.
      await may
      socket.write(json({}))
    })
    const ops = await freePort()
    await using gateway = await launch({
      'gateway.yaml': `listen: { host: 127.0.0.1, port: 0 }\nops: { port: ${ops} }\n${route}    transform: ./hook.ts#shape\n`,
      'hook.ts': `await fetch('${origin.url}')\nexport const shape = (): object => ({})`,
    })
    await origin.until(({ requests }) => requests.length > 0)
    expect((await fetch(`http://127.0.0.1:${ops}/livez`)).status).toBe(200)
    const ready = await fetch(`http://127.0.0.1:${ops}/readyz`)
    expect([ready.status, await ready.json()]).toEqual([503, { ready: false, state: 'starting' }])
    goOn()
    await gateway.logged('ops')
    expect((await fetch(`http://127.0.0.1:${ops}/readyz`)).status).toBe(200)
  })

  test('a SIGTERM while it starts ends it, with 0', async () => {
    await using origin = await startOrigin(() => {})
    await using gateway = await launch({
      'gateway.yaml': `${anywhere}${route}    transform: ./hook.ts#shape\n`,
      'hook.ts': `await fetch('${origin.url}')\nexport const shape = (): object => ({})`,
    })
    await origin.until(({ requests }) => requests.length > 0)
    gateway.child.kill('SIGTERM')
    expect(await gateway.ended).toBe(0)
  })

  test('an ops connection that never finishes its request does not keep it from ending', async () => {
    await using gateway = await startProcess(`${anywhere.replace('port: 0', 'port: 0, drain: 0s')}${route}`)
    const silent = connect(Number(new URL(gateway.opsUrl).port), '127.0.0.1')
    silent.write('GET /livez HTTP/1.1\r\nHost: ops\r\n\r\nGET /livez HTTP/1.1\r\n')
    await once(silent, 'data')
    gateway.child.kill('SIGTERM')
    expect(await gateway.ended).toBe(0)
    silent.destroy()
  })
})
