import { expect, test, vi } from 'vitest'
import { type Client, type Received, ask, connect, request } from '../support/client.ts'
import { startJsonOrigin } from '../support/origin.ts'
import { type GatewayProcess, startProcess } from '../support/process.ts'

// Each test waits for a process of its own, which on a busy machine takes its time to start.
vi.setConfig({ testTimeout: 60_000 })

// The gateway itself has some 30 open.
const descriptors = 128
const more = 200

const ok = request('GET', '/ok')
const overloaded = '503 oneloop;error=overloaded'
const livez = request('GET', '/livez', { host: '127.0.0.1' })
const status = request('GET', '/api/status', { host: '127.0.0.1' })

async function start(origin: { readonly url: string }, loops: number): Promise<GatewayProcess> {
  const config = `listen: { host: 127.0.0.1, port: 0 }
loops: ${loops}
ops: { port: 0 }
upstreams: { shop: { endpoints: ["${origin.url}"] } }
routes: [{ match: GET /ok, steps: { one: { call: GET shop /ok } } }]`
  return startProcess(config, { descriptors })
}

/** Opens more connections than the gateway can have. */
const crowd = (port: number): Promise<Client[]> => Promise.all(Array.from({ length: more }, () => connect(port)))

/** Asks on connections of its own until one is served: it takes a moment until all who have left are seen to have. */
async function served(port: number, bytes: Uint8Array): Promise<Received> {
  for (;;) {
    const response = await ask(port, bytes).catch(() => null)
    if (response?.status === 200) return response
  }
}

/** Gives a connection to the ops port that is in, since it has been answered once; `live` asks over it again. */
async function watchOver({ opsUrl }: GatewayProcess) {
  const port = Number(new URL(opsUrl).port)
  for (;;) {
    const client = await connect(port)
    const live = async (): Promise<number> => {
      client.send(livez)
      return (await client.response()).status
    }
    // Some of those who have left may still be in.
    if ((await live().catch(() => null)) === 200)
      return { port, live, [Symbol.asyncDispose]: () => client[Symbol.asyncDispose]() }
  }
}

/** The status of an answer and why, or null for none. */
const saidBy = (answer: Received | null): string | null =>
  answer && [answer.status, answer.headers['proxy-status']].filter(Boolean).join(' ')

test('P7: more clients than descriptors are let go or answered, and all is served again when they have left', async () => {
  await using origin = await startJsonOrigin({ '/ok': { some: 'data' } })
  await using gateway = await start(origin, 1)
  for (let round = 0; round < 3; round++) {
    await using ops = await watchOver(gateway)
    const clients = await crowd(gateway.port)
    const gone = (): number => clients.filter(({ ended }) => ended !== null).length
    while (gone() < more - descriptors) await new Promise((resolve) => setImmediate(resolve))
    for (const client of clients) client.send(ok)
    const answers = await Promise.all(clients.map((client) => client.response().catch(() => null)))
    const said = new Set(answers.map(saidBy))
    // Who is in is answered, if only that there is none left for a connection to the upstream.
    expect(said).toContain(overloaded)
    expect(said.isSubsetOf(new Set([null, '200', overloaded]))).toBe(true)
    // Whoever watches it over a connection that is there goes on being told, and on a new one later.
    expect(await ops.live()).toBe(200)
    for (const client of clients) client.leave()
    await served(gateway.port, ok)
    await served(ops.port, livez)
  }
  await expectSound(gateway, 1)
})

test('P7: two loops that take descriptors from each other go on as well', async () => {
  await using origin = await startJsonOrigin({ '/ok': { some: 'data' } })
  await using gateway = await start(origin, 2)
  for (let round = 0; round < 5; round++) {
    await using ops = await watchOver(gateway)
    const clients = await crowd(gateway.port)
    for (const client of clients) client.send(ok)
    expect(await ops.live()).toBe(200)
    for (const client of clients) client.leave()
    await served(gateway.port, ok)
    await served(ops.port, livez)
  }
  await expectSound(gateway, 2)
})

/** No loop has died, and it ends as it should. */
async function expectSound(gateway: GatewayProcess, loops: number): Promise<void> {
  const alive = Array.from({ length: loops }, () => ({ listening: true, deaths: 0 }))
  const told = await served(Number(new URL(gateway.opsUrl).port), status)
  expect(told.json()).toMatchObject({ state: 'serving', loops: alive })
  gateway.child.kill('SIGINT')
  expect(await gateway.ended).toBe(0)
}
