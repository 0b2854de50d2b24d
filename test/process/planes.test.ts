import { once } from 'node:events'
import { type FSWatcher, rmSync, watch, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { ask, connect, request } from '../support/client.ts'
import { startJsonOrigin, startOrigin } from '../support/origin.ts'
import { type GatewayProcess, folderOf, startProcess } from '../support/process.ts'

// Each test waits for processes of its own, which on a busy machine take their time to start.
vi.setConfig({ testTimeout: 60_000 })

// What the hooks of a test can do to the data loop that they run on.
const hooks = `import { existsSync, writeFileSync } from 'node:fs'
import { isMainThread, threadId } from 'node:worker_threads'

if (existsSync(process.env.CRASH)) {
  // What it holds open must not keep its loop from being given up.
  setInterval(() => {}, 1000)
  throw new Error('cannot be loaded')
}

export const where = (): object => ({ isMainThread, threadId })
export const spin = (): object => {
  writeFileSync(process.env.BLOCKED, '')
  const until = performance.now() + 2000
  while (performance.now() < until);
  return {}
}
export const throws = (): never => { throw new Error('on purpose') }
export const crashOddly = (): Promise<never> => {
  setTimeout(() => { throw null }, 0)
  return new Promise(() => {})
}
export const crash = (): Promise<never> => {
  setTimeout(() => { throw new Error('from a timer') }, 0)
  return new Promise(() => {})
}
`

function config(origin: string, more = ''): Record<string, string> {
  const route = (name: string): string => `
  - match: GET /${name}
    name: ${name}
    steps: { one: { call: GET shop /ok } }
    transform: ./hooks.ts#${name}`
  return {
    'hooks.ts': hooks,
    'gateway.yaml': `listen: { host: 127.0.0.1, port: 0 }
ops: { port: 0 }
${more}
upstreams: { shop: { endpoints: ["${origin}"] } }
routes:${['where', 'spin', 'throws', 'crash', 'crashOddly'].map(route).join('')}
  - match: GET /hang
    name: hang
    steps: { one: { call: GET shop /hang } }
`,
  }
}

const get = (gateway: GatewayProcess, path: string) => ask(gateway.port, request('GET', path))

/** Asks on a connection of its own until it is answered. */
async function served(gateway: GatewayProcess, path: string) {
  for (;;) {
    const response = await get(gateway, path).catch(() => null)
    if (response !== null) return response
  }
}

async function sum(gateway: GatewayProcess, name: string): Promise<number> {
  const { series } = await gateway.status()
  return series.filter((one) => one.name === name).reduce((total, { value }) => total + value, 0)
}

/** Waits until so many requests are counted: each is when its response is over, which its client may see first. */
async function counted(gateway: GatewayProcess, count: number): Promise<number> {
  for (;;) {
    const requests = await sum(gateway, 'oneloop.requests')
    if (requests >= count) return requests
  }
}

test.concurrent(
  'P5: health and numbers are told by another thread while a transform blocks the data loop for 2 s',
  async () => {
    using folder = folderOf({})
    const marker = join(folder.path, 'blocked')
    await using origin = await startJsonOrigin({ '/ok': {} })
    await using gateway = await startProcess(config(origin.url), { env: { BLOCKED: marker } })
    expect((await get(gateway, '/where')).json()).toMatchObject({ isMainThread: false })

    const watcher: FSWatcher = watch(folder.path)
    const blocked = once(watcher, 'change')
    const order: string[] = []
    const note = async (name: string, response: Promise<{ status: number }>): Promise<void> => {
      expect((await response).status).toBe(200)
      order.push(name)
    }
    const spin = note('spin', get(gateway, '/spin'))
    await blocked
    watcher.close()
    const others = note('where', get(gateway, '/where'))
    const health = ['livez', 'readyz', 'metrics', 'api/status'].map((path) =>
      note(path, fetch(`${gateway.opsUrl}/${path}`)),
    )
    await Promise.all([spin, others, ...health])
    expect(order.slice(0, 4).toSorted()).toEqual(['api/status', 'livez', 'metrics', 'readyz'])
    expect(order.slice(4).toSorted()).toEqual(['spin', 'where'])
  },
)

test.concurrent('P9: a transform that throws costs that request only', async () => {
  await using origin = await startJsonOrigin({ '/ok': {} })
  await using gateway = await startProcess(config(origin.url))
  const { status, headers } = await get(gateway, '/throws')
  expect([status, headers['proxy-status']]).toEqual([500, 'oneloop;error=transform_error'])
  expect((await get(gateway, '/where')).status).toBe(200)
  expect((await gateway.status()).loops).toEqual([{ listening: true, deaths: 0 }])
  expect(await gateway.logged('request failed')).toMatchObject({
    reason: 'transform_error',
    detail: expect.stringContaining('on purpose'),
  })
})

test.concurrent(
  'P9: a data loop that dies is replaced and counted; what it had under way is under way no more; one that dies at once backs off',
  async () => {
    using folder = folderOf({})
    const marker = join(folder.path, 'crash')
    await using origin = await startOrigin(({ target }, socket) => {
      if (target === '/ok') socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}')
    })
    await using gateway = await startProcess(config(origin.url), { env: { CRASH: marker } })
    const { threadId } = (await get(gateway, '/where')).json() as { threadId: number }

    await using hanging = await connect(gateway.port)
    hanging.send(request('GET', '/hang'))
    await origin.until(({ requests }) => requests.some(({ target }) => target === '/hang'))
    expect([await sum(gateway, 'http.server.active_requests'), await sum(gateway, 'oneloop.calls.active')]).toEqual([
      1, 1,
    ])
    await expect(get(gateway, '/crash')).rejects.toThrow('no response')
    await hanging.rest()
    const diedAt = performance.now()

    const again = (await served(gateway, '/where')).json() as { threadId: number }
    // 1 s is what is promised, on a machine that has nothing else to do.
    expect(performance.now() - diedAt).toBeLessThan(5_000)
    expect(again.threadId).not.toBe(threadId)
    expect((await gateway.status()).loops).toEqual([{ listening: true, deaths: 1 }])
    // Both requests to /where, one of each loop, and no more: counters go on where they stood.
    expect(await counted(gateway, 2)).toBe(2)
    expect([await sum(gateway, 'http.server.active_requests'), await sum(gateway, 'oneloop.calls.active')]).toEqual([
      0, 0,
    ])
    expect(await gateway.logged('a data loop failed')).toMatchObject({
      level: 'error',
      error: expect.stringContaining('from a timer'),
    })
    const replaced = 'a data loop has died and is replaced'
    expect(await gateway.logged(replaced)).toMatchObject({ level: 'error', deaths: 1, pauseMs: 0 })

    writeFileSync(marker, '')
    await expect(get(gateway, '/crash')).rejects.toThrow('no response')
    await gateway.logged(replaced, 3)
    const ready = await fetch(`${gateway.opsUrl}/readyz`)
    expect([ready.status, await ready.json()]).toEqual([503, { ready: false, state: 'serving' }])
    expect((await fetch(`${gateway.opsUrl}/livez`)).status).toBe(200)
    rmSync(marker)
    await served(gateway, '/where')
    const deaths = gateway.lines(replaced)
    const pauses = deaths.map(({ pauseMs }) => Number(pauseMs))
    expect(pauses).toEqual(pauses.toSorted((a, b) => a - b))
    expect(new Set(pauses).size).toBe(pauses.length)
    const times = deaths.map(({ time }) => Date.parse(String(time)))
    times
      .slice(1)
      .forEach((time, i) => expect(time - (times[i] as number)).toBeGreaterThanOrEqual((pauses[i] as number) - 5))
  },
)

test.concurrent(
  'loops: 2 serves with two data loops on one port, and goes on with one while the other is replaced',
  async () => {
    await using origin = await startJsonOrigin({ '/ok': {} })
    await using gateway = await startProcess(config(origin.url, 'loops: 2'))
    expect((await gateway.status()).loops).toEqual([
      { listening: true, deaths: 0 },
      { listening: true, deaths: 0 },
    ])
    let asked = 0
    const threadsOf = async (count: number): Promise<Set<unknown>> => {
      const threads = new Set()
      // Which of them takes a connection is the kernel's choice: a hundred in a row for one is no choice.
      for (let i = 0; i < 100 && threads.size < count; i++, asked++) {
        threads.add(((await get(gateway, '/where')).json() as { threadId: number }).threadId)
      }
      return threads
    }
    const before = await threadsOf(2)
    expect(before.size).toBe(2)
    expect(await counted(gateway, asked)).toBe(asked)

    await expect(get(gateway, '/crashOddly')).rejects.toThrow('no response')
    await gateway.logged('a data loop has died and is replaced')
    expect((await fetch(`${gateway.opsUrl}/readyz`)).status).toBe(200)
    // The one that is left takes all there is.
    expect(before).toContain([...(await threadsOf(1))][0])
    while (!(await gateway.status()).loops.every(({ listening }) => listening)) await served(gateway, '/where')
    const deaths = (await gateway.status()).loops.map((loop) => loop.deaths)
    expect(deaths.toSorted((a, b) => a - b)).toEqual([0, 1])
  },
)
