import { once } from 'node:events'
import { watch } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { ask, request } from '../support/client.ts'
import { json, startJsonOrigin, startOrigin } from '../support/origin.ts'
import { type GatewayProcess, folderOf, startProcess } from '../support/process.ts'

// Each test waits for processes of its own, which on a busy machine take their time to start.
vi.setConfig({ testTimeout: 60_000 })

// What burns time says how much it took, by the clock of the thread that it runs on.
const hooks = `import { writeFileSync } from 'node:fs'
const burn = (ms: number): number => {
  const began = performance.now()
  while (performance.now() - began < ms);
  return performance.now() - began
}
export const burns = (): object => ({ tookMs: burn(5) })
export const burnsLater = async (): Promise<object> => {
  await new Promise((resolve) => setTimeout(resolve, 5))
  return { tookMs: burn(5) }
}
export const counts = (_: unknown, replies: { big: unknown[] }): object => ({ length: replies.big.length })
export const stuck = (): object => {
  writeFileSync(process.env.STUCK, '')
  burn(1_500)
  return {}
}
`

const config = (origin: string, more = ''): Record<string, string> => ({
  'hooks.ts': hooks,
  'gateway.yaml': `listen: { host: 127.0.0.1, port: 0 }
ops: { port: 0 }
${more}
upstreams: { shop: { endpoints: ["${origin}"] }, parts: { endpoints: ["${origin}"] } }
routes:
  - { match: GET /burns, name: burns, steps: { one: { call: GET shop /ok } }, transform: ./hooks.ts#burns }
  - { match: GET /later, name: later, steps: { one: { call: GET shop /ok } }, transform: ./hooks.ts#burnsLater }
  - { match: GET /stuck, name: stuck, steps: { one: { call: GET shop /ok } }, transform: ./hooks.ts#stuck }
  - match: GET /counts
    name: counts
    steps: { small: { call: GET shop /ok }, big: { call: GET parts /big } }
    transform: ./hooks.ts#counts
  - { match: GET /plain, name: plain, steps: { one: { call: GET shop /ok }, two: { call: GET parts /ok } } }
`,
})

const big = JSON.stringify(Array.from({ length: 100_000 }, (_, i) => ({ i, name: `the one with the number ${i}` })))

type Attributes = Readonly<Record<string, string>>
type Numbers = readonly { readonly name: string; readonly attributes: Attributes; readonly value: number }[]

const read = async (gateway: GatewayProcess): Promise<Numbers> => (await gateway.status()).series as Numbers

/** What stands in the ledger of all accounts that have these attributes, in ms. */
function spent(numbers: Numbers, wanted: Attributes = {}): number {
  return numbers
    .filter(({ name, attributes }) => {
      return name === 'oneloop.loop.time' && Object.entries(wanted).every(([key, value]) => attributes[key] === value)
    })
    .reduce((sum, { value }) => sum + value * 1_000, 0)
}

async function get(gateway: GatewayProcess, path: string): Promise<Record<string, number>> {
  const response = await ask(gateway.port, request('GET', path))
  expect(response.status).toBe(200)
  return response.json() as Record<string, number>
}

/** Asks so often, and adds up what the transform says that it took. */
async function burnt(gateway: GatewayProcess, path: string, times: number): Promise<number> {
  let tookMs = 0
  for (let i = 0; i < times; i++) tookMs += (await get(gateway, path))['tookMs'] as number
  return tookMs
}

test('what a transform burns is charged to its route, as transform, within 5 %: alone and as one of three under load', async () => {
  await using origin = await startJsonOrigin({ '/ok': {}, '/big': [] })
  await using gateway = await startProcess(config(origin.url))
  const account = { 'http.route': 'burns', phase: 'transform', charged: 'direct' }
  const check = async (load: () => Promise<unknown>): Promise<void> => {
    const before = await read(gateway)
    const [tookMs] = await Promise.all([burnt(gateway, '/burns', 40), load()])
    const chargedMs = spent(await read(gateway), account) - spent(before, account)
    expect(chargedMs / tookMs).toBeGreaterThan(0.999)
    expect(chargedMs / tookMs).toBeLessThan(1.05)
  }
  // What is compiled at first is of the transform too, but not in what it says.
  await burnt(gateway, '/burns', 5)
  await check(() => Promise.resolve())
  const others = async (path: string): Promise<void> => {
    for (let i = 0; i < 100; i++) await get(gateway, path)
  }
  await check(() => Promise.all([others('/plain'), others('/plain'), others('/counts')]))
})

test('what a transform burns after a wait is charged to it too, as what led there', async () => {
  await using origin = await startJsonOrigin({ '/ok': {} })
  await using gateway = await startProcess(config(origin.url))
  await burnt(gateway, '/later', 5)
  const account = { 'http.route': 'later', phase: 'transform' }
  const before = await read(gateway)
  const tookMs = await burnt(gateway, '/later', 20)
  const after = await read(gateway)
  const arrivedMs = spent(after, { ...account, charged: 'arrival' }) - spent(before, { ...account, charged: 'arrival' })
  expect(arrivedMs / tookMs).toBeGreaterThan(0.999)
  // It has waited four times as long: that is nobody's.
  expect((spent(after, account) - spent(before, account)) / tookMs).toBeLessThan(1.5)
})

test('the parsing of a large reply is charged to the upstream that it came from, as parse', async () => {
  await using origin = await startOrigin(({ target }, socket) => {
    socket.write(json(target === '/big' ? JSON.parse(big) : {}))
  })
  await using gateway = await startProcess(config(origin.url))
  const before = await read(gateway)
  expect((await get(gateway, '/counts'))['length']).toBe(100_000)
  const after = await read(gateway)
  const route = { 'http.route': 'counts' }
  const parsing = (upstream: string): number => {
    const account = { ...route, upstream, phase: 'parse' }
    return spent(after, account) - spent(before, account)
  }
  // The same text on the same machine; how much longer it takes there is for its CPU to say, but it is no tenth.
  const began = performance.now()
  JSON.parse(big)
  expect(parsing('parts')).toBeGreaterThan((performance.now() - began) / 10)
  expect(parsing('shop')).toBeLessThan(parsing('parts') / 10)
})

// Two readings that are milliseconds apart on a machine that others use as well: that one in three holds shows it.
test(
  'what is charged, what cannot be named, and what the loop was idle are together the time that has passed',
  { retry: 2 },
  async () => {
    await using origin = await startJsonOrigin({ '/ok': {}, '/big': [] })
    await using gateway = await startProcess(config(origin.url))
    const wall = async (): Promise<{ idleMs: number; activeMs: number; chargedMs: number }> => {
      const { series, current } = (await gateway.status()) as unknown as { series: Numbers; current: [Loop] }
      return { ...current[0], chargedMs: spent(series) }
    }
    interface Loop {
      readonly idleMs: number
      readonly activeMs: number
    }
    await get(gateway, '/plain')
    const before = await wall()
    const plain = async (): Promise<void> => {
      for (let i = 0; i < 100; i++) await get(gateway, '/plain')
    }
    await Promise.all([burnt(gateway, '/burns', 50), plain(), plain(), plain()])
    const after = await wall()
    const idleMs = after.idleMs - before.idleMs
    // All that has passed for the loop, as Node has it.
    const passedMs = idleMs + after.activeMs - before.activeMs
    const chargedMs = after.chargedMs - before.chargedMs
    expect((idleMs + chargedMs) / passedMs).toBeGreaterThan(0.98)
    expect((idleMs + chargedMs) / passedMs).toBeLessThan(1.02)
    // Nothing is charged twice: what cannot be named would be less than nothing.
    expect(chargedMs).toBeLessThanOrEqual((after.activeMs - before.activeMs) * 1.02)
  },
)

test('while the loop is stuck the control loop names route and phase, and for how long', async () => {
  using folder = folderOf({})
  await using origin = await startJsonOrigin({ '/ok': {} })
  await using gateway = await startProcess(config(origin.url), { env: { STUCK: join(folder.path, 'stuck') } })
  const watcher = watch(folder.path)
  const stuck = get(gateway, '/stuck')
  await once(watcher, 'change')
  watcher.close()
  const { current } = (await gateway.status()) as unknown as { current: { account: Attributes; forMs: number }[] }
  expect(current).toEqual([
    expect.objectContaining({ account: { 'http.route': 'stuck', phase: 'transform', charged: 'direct' } }),
  ])
  // It counts while it lasts, and when it is over what was counted is what was charged.
  const first = current[0]?.forMs ?? 0
  const { current: later } = (await gateway.status()) as unknown as { current: { forMs: number }[] }
  expect(later[0]?.forMs).toBeGreaterThan(first)
  await stuck
  expect(spent(await read(gateway), { 'http.route': 'stuck', phase: 'transform' })).toBeGreaterThan(1_500)
})
