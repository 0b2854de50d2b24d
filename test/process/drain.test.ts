import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as nap } from 'node:timers/promises'
import { describe, expect, test, vi } from 'vitest'
import { ask, connect, request } from '../support/client.ts'
import { type Origin, json, startJsonOrigin, startOrigin } from '../support/origin.ts'
import { type GatewayProcess, folderOf, startProcess, watch } from '../support/process.ts'
import { keepAsking } from './load.ts'

// Each test waits for processes of its own, which on a busy machine take their time to start.
vi.setConfig({ testTimeout: 60_000 })

const root = join(import.meta.dirname, '../..')

function config(origin: Pick<Origin, 'url'>, drain: string, more = ''): string {
  return `listen: { host: 127.0.0.1, port: 0, drain: ${drain} }
ops: { port: 0 }
upstreams: { shop: { endpoints: ["${origin.url}"] } }
routes:
  - match: GET /ok
    steps: { one: { call: GET shop /ok } }
  - match: GET /slow
    budget: 10s
    steps: { one: { call: GET shop /slow, timeout: 10s } }
${more}`
}

/** An origin that keeps `/slow` waiting until it is let go. */
async function slowOrigin() {
  const { promise: may, resolve: letGo } = Promise.withResolvers<void>()
  const origin = await startOrigin(async ({ target }, socket) => {
    if (target === '/slow') await may
    if (target === '/later') await nap(600)
    socket.write(json({}))
  })
  /** Asks it for what takes longer than the time within which two signals are one. */
  const later = () => fetch(`${origin.url}/later`)
  const slowArrived = (count: number) =>
    origin.until(({ requests }) => requests.filter(({ target }) => target === '/slow').length === count)
  return { ...origin, slowArrived, letGo, later, [Symbol.asyncDispose]: () => origin[Symbol.asyncDispose]() }
}

async function servesNew(gateway: GatewayProcess): Promise<void> {
  expect((await ask(gateway.port, request('GET', '/ok'))).status).toBe(200)
}

/** Waits until no more connections are taken. */
async function closedToNew(gateway: GatewayProcess): Promise<void> {
  for (;;) {
    const client = await connect(gateway.port).catch(() => null)
    if (client === null) return
    client.leave()
  }
}

const readyz = async (gateway: GatewayProcess) => {
  const response = await fetch(`${gateway.opsUrl}/readyz`)
  return [response.status, await response.json()]
}

test('P1: SIGTERM under load fails no request of 48 connections that honour Connection: close', async () => {
  await using origin = await startJsonOrigin({ '/ok': { some: 'data' } })
  await using gateway = await startProcess(config(origin, '1s'))
  let count = 0
  const { promise: warm, resolve: isWarm } = Promise.withResolvers<void>()
  const asked = (): boolean => {
    if (++count === 500) isWarm()
    return true
  }
  const clients = Array.from({ length: 48 }, () => keepAsking(`${gateway.url}/ok`, asked))
  await warm

  gateway.child.kill('SIGTERM')
  await gateway.logged('draining')
  const atSignal = count
  // Not ready at once, for whoever chooses where to send clients.
  expect(await readyz(gateway)).toEqual([503, { ready: false, state: 'draining' }])
  const results = await Promise.all(clients)
  expect(results.flatMap(({ failed }) => failed)).toEqual([])
  // All clients were told to close, none was cut off, and they were served all the while.
  expect(results.reduce((sum, { statuses }) => sum + (statuses[200] ?? 0), 0)).toBe(count)
  expect(count).toBeGreaterThan(atSignal + 48)
  expect(await gateway.ended).toBe(0)
  expect(gateway.lines('stopped')).toEqual([expect.objectContaining({ level: 'info', cut: 0 })])
})

describe('P1: SIGTERM drains', { concurrent: true }, () => {
  test('P1: requests under way are waited for and answered with Connection: close; then it ends at once, with 0', async () => {
    await using origin = await slowOrigin()
    await using gateway = await startProcess(config(origin, '0s'))
    await using first = await connect(gateway.port)
    await using second = await connect(gateway.port)
    first.send(request('GET', '/slow'))
    second.send(request('GET', '/slow'))
    await origin.slowArrived(2)
    gateway.child.kill('SIGTERM')
    await closedToNew(gateway)
    origin.letGo()
    for (const client of [first, second]) {
      const { status, headers, whole } = await client.response()
      expect({ status, whole, connection: headers['connection'] }).toEqual({
        status: 200,
        whole: true,
        connection: 'close',
      })
    }
    expect(await gateway.ended).toBe(0)
    expect(gateway.lines('stopped')).toEqual([expect.objectContaining({ cut: 0 })])
  })

  test('P1: a connection that was idle for long when the drain began can still ask once, and is told to close', async () => {
    const { promise: drains, resolve: nowDrains } = Promise.withResolvers<void>()
    await using origin = await startOrigin(async ({ target }, socket) => {
      if (target === '/slow') await nap(1_200)
      if (target === '/last') await drains.then(() => nap(150))
      socket.write(json({}))
    })
    const last = '  - match: GET /last\n    steps: { one: { call: GET shop /last } }\n'
    await using gateway = await startProcess(config(origin, '0s', last))
    await using idle = await connect(gateway.port)
    idle.send(request('GET', '/ok'))
    expect((await idle.response()).headers['connection']).not.toBe('close')
    await using busy = await connect(gateway.port)
    busy.send(request('GET', '/slow'))
    expect((await busy.response()).status).toBe(200)
    busy.send(request('GET', '/last'))
    await origin.until(({ requests }) => requests.some(({ target }) => target === '/last'))
    gateway.child.kill('SIGTERM')
    await closedToNew(gateway)
    nowDrains()
    expect((await busy.response()).headers['connection']).toBe('close')
    // By now it has drained for a while.
    idle.send(request('GET', '/ok'))
    const { status, headers } = await idle.response()
    expect([status, headers['connection']]).toEqual([200, 'close'])
    expect(await gateway.ended).toBe(0)
  })

  test('P1: what a transform holds open does not keep it from ending', async () => {
    await using origin = await startJsonOrigin({ '/ok': {} })
    const more = '  - match: GET /made\n    steps: { one: { call: GET shop /ok } }\n    transform: ./hook.ts#made\n'
    await using gateway = await startProcess({
      'gateway.yaml': config(origin, '0s', more),
      'hook.ts': 'setInterval(() => {}, 1000)\nexport const made = (): object => ({})',
    })
    const at = performance.now()
    gateway.child.kill('SIGTERM')
    expect(await gateway.ended).toBe(0)
    // Well before the 25 s after which it would be given up.
    expect(performance.now() - at).toBeLessThan(8_000)
  })

  test('P1: SIGINT drains without the wait, and does not cut what is under way', async () => {
    await using origin = await slowOrigin()
    await using gateway = await startProcess(config(origin, '1h'))
    await using client = await connect(gateway.port)
    client.send(request('GET', '/slow'))
    await origin.slowArrived(1)
    gateway.child.kill('SIGINT')
    await closedToNew(gateway)
    origin.letGo()
    expect((await client.response()).status).toBe(200)
    expect(await gateway.ended).toBe(0)
    expect(gateway.lines('stopped')).toEqual([expect.objectContaining({ cut: 0 })])
  })
})

describe('P2: a second signal', { concurrent: true }, () => {
  test.each([
    ['while it still serves', '1h', servesNew],
    ['while it waits for requests under way', '0s', closedToNew],
  ])('P2: 500 ms or more after the first it ends at once and logs how many were cut: %s', async (_, drain, drains) => {
    await using origin = await slowOrigin()
    await using gateway = await startProcess(config(origin, drain))
    const clients = await Promise.all([connect(gateway.port), connect(gateway.port), connect(gateway.port)])
    for (const client of clients) client.send(request('GET', '/slow'))
    await origin.slowArrived(3)
    gateway.child.kill('SIGTERM')
    await gateway.logged('draining')
    await drains(gateway)
    await origin.later()
    expect((await readyz(gateway))[0]).toBe(503)
    const at = performance.now()
    gateway.child.kill('SIGTERM')
    expect(await gateway.ended).toBe(1)
    expect(performance.now() - at).toBeLessThan(5_000)
    expect(await Promise.all(clients.map((client) => client.rest()))).toEqual(['', '', ''])
    expect(gateway.lines('stopped')).toEqual([expect.objectContaining({ level: 'warn', cut: 3 })])
    expect(gateway.lines().filter(({ level }) => level === 'error')).toEqual([])
    // Each of them is accounted for.
    expect(gateway.lines('request failed').map(({ reason }) => reason)).toEqual(['cancelled', 'cancelled', 'cancelled'])
  })

  test('P2: what a blocked data loop had under way counts as cut', async () => {
    await using origin = await slowOrigin()
    const more = '  - match: GET /spin\n    steps: { one: { call: GET shop /ok } }\n    transform: ./hook.ts#spin\n'
    await using gateway = await startProcess({
      'gateway.yaml': config(origin, '0s', more),
      'hook.ts': `import { writeSync } from 'node:fs'
export const spin = (): never => { writeSync(2, 'spinning\\n'); for (;;); }`,
    })
    await using client = await connect(gateway.port)
    client.send(request('GET', '/spin'))
    await gateway.says('spinning')
    gateway.child.kill('SIGTERM')
    await gateway.logged('draining')
    await origin.later()
    expect((await readyz(gateway))[0]).toBe(503)
    gateway.child.kill('SIGTERM')
    expect(await gateway.ended).toBe(1)
    expect(gateway.lines('stopped')).toEqual([expect.objectContaining({ cut: 1 })])
  })

  test('P2: two signals within 500 ms count as one', async () => {
    await using origin = await slowOrigin()
    await using gateway = await startProcess(config(origin, '0s'))
    await using client = await connect(gateway.port)
    client.send(request('GET', '/slow'))
    await origin.slowArrived(1)
    gateway.child.kill('SIGINT')
    gateway.child.kill('SIGTERM')
    await closedToNew(gateway)
    origin.letGo()
    expect((await client.response()).status).toBe(200)
    expect(await gateway.ended).toBe(0)
    expect(gateway.lines('draining').length).toBe(1)
    expect(gateway.lines('stopping at once')).toEqual([])
  })
})

describe('npm scripts', { concurrent: true }, () => {
  test('those that run node until they are told to stop exec it, so that signals reach it', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>
    }
    for (const name of ['start', 'dev', 'demo', 'bench', 'oneloop']) expect(scripts[name]).toMatch(/^exec node /)
  })

  test.each([
    ['a SIGTERM to npm', 'SIGTERM', 1],
    // npm passes it on, so that the gateway gets it twice.
    ['a Ctrl-C, which the terminal sends to npm and to the gateway,', 'SIGINT', -1],
  ] as const)('%s drains the gateway that it runs', async (_how, signal, group) => {
    await using origin = await slowOrigin()
    using folder = folderOf(config(origin, '0s'))
    const args = ['run', '--silent', 'oneloop', '--', 'start', '--config', join(folder.path, 'gateway.yaml')]
    const npm = spawn('npm', args, { cwd: root, detached: true })
    await using run = watch(npm, { group: true })
    const { address } = await run.logged('listening')
    await using client = await connect(Number(new URL(String(address)).port))
    client.send(request('GET', '/slow'))
    await origin.slowArrived(1)
    process.kill(group * (npm.pid as number), signal)
    await run.logged('draining')
    origin.letGo()
    expect((await client.response()).status).toBe(200)
    await once(npm, 'close')
    expect(run.lines('stopped')).toEqual([expect.objectContaining({ cut: 0 })])
  })
})
