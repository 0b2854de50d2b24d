import type { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { seeded } from '../../loadtest/upstreams/latency.ts'
import { startGateway } from '../support/gateway.ts'
import { type Origin, type Script, json, startOrigin } from '../support/origin.ts'
import { type Setting, ask, expectAlive, startSetting } from './setting.ts'

const retry = { upstream: 'retry: 1' }
const posted = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"a":1}' }

const ends: readonly (readonly [string, (socket: Socket) => void])[] = [
  ['closed', (socket) => socket.destroy()],
  ['half closed', (socket) => socket.end()],
  ['reset', (socket) => socket.resetAndDestroy()],
]

/** Answers the first request of its first connection; that ends as the next request arrives on it, body and all. */
function endsOnce(end: (socket: Socket) => void): Script {
  let answered = 0
  return async ({ connection, body }, socket) => {
    await body
    if (connection === 1 && answered > 0) return end(socket)
    answered++
    socket.write(json({ x: answered }))
  }
}

const connections = ({ bad }: Setting): number[] => bad.requests.map(({ connection }) => connection)
const retries = ({ gateway }: Setting): number => gateway.read('oneloop.retries', { upstream: 'bad' })

test.each(ends)('U22: an idle connection that is %s as a GET arrives costs the client nothing', async (_, end) => {
  await using setting = await startSetting(endsOnce(end), retry)
  for (const x of [1, 2, 3]) {
    expect(await setting.ask('/required')).toMatchObject({ status: 200, text: `{"x":{"x":${x}}}` })
  }
  await expectAlive(setting)
  expect(connections(setting)).toEqual([1, 1, 2, 2])
  expect(retries(setting)).toBe(1)
  expect(setting.gateway.read('oneloop.calls', { upstream: 'bad', 'error.type': 'connection_terminated' })).toBe(0)
  expect(setting.gateway.lines).toEqual([])
})

test.each(ends)('U22: a forwarded GET too, over a connection that is %s as it arrives', async (_, end) => {
  await using setting = await startSetting(endsOnce(end), retry)
  for (const x of [1, 2]) expect(await setting.ask('/forward/x')).toMatchObject({ status: 200, text: `{"x":${x}}` })
  await expectAlive(setting)
  expect(connections(setting)).toEqual([1, 1, 2])
})

test.each(ends)('U22: a POST whose connection is %s as it arrives is not made twice', async (_, end) => {
  await using setting = await startSetting(endsOnce(end), retry)
  expect((await setting.ask('/posted', posted)).status).toBe(200)
  expect(await setting.ask('/posted', posted)).toMatchObject({ status: 502, json: { error: 'connection_terminated' } })
  await expectAlive(setting)
  expect(connections(setting)).toEqual([1, 1])
  expect(retries(setting)).toBe(0)
  // What is next goes over another connection.
  expect((await setting.ask('/posted', posted)).status).toBe(200)
  expect(connections(setting)).toEqual([1, 1, 2])
})

test.each(ends)('U22: a connection that was %s while it was idle is not used: a POST is made once', async (_, end) => {
  const sockets: Socket[] = []
  await using setting = await startSetting((_request, socket) => {
    sockets.push(socket)
    socket.write(json({ x: 1 }))
  }, retry)
  for (let i = 1; i <= 3; i++) {
    expect((await setting.ask('/posted', posted)).status).toBe(200)
    end(sockets.at(-1) as Socket)
    await setting.bad.until(({ open }) => open === 0)
    // A request of another route, and the loop has seen the end by then.
    await expectAlive(setting)
  }
  expect(connections(setting)).toEqual([1, 2, 3])
  expect(retries(setting)).toBe(0)
})

test('U22: a further attempt goes over a new connection, for others may have idled for as long', async () => {
  const answered = new Set<number>()
  await using setting = await startSetting(async ({ connection }, socket) => {
    if (answered.has(connection)) return void socket.destroy()
    answered.add(connection)
    // Once all three are there, so that each has a connection of its own.
    await setting.bad.until(({ requests }) => requests.length >= 3)
    socket.write(json({ x: 1 }))
  }, retry)
  const cold = await Promise.all([1, 2, 3].map(() => setting.ask('/required')))
  expect(cold.map(({ status }) => status)).toEqual([200, 200, 200])
  expect((await setting.ask('/required')).status).toBe(200)
  await expectAlive(setting)
  expect(connections(setting)).toEqual([1, 2, 3, expect.toBeOneOf([1, 2, 3]), 4])
})

/** Starts an origin that closes or resets one connection of `oneIn`, some turns of the loop after a reply. */
function startFickle(seed: number, oneIn: number): Promise<Origin> {
  const random = seeded(seed)
  return startOrigin((_, socket) => {
    socket.write(json({ x: 1 }))
    if (random() * oneIn >= 1) return
    const [, end] = ends[Math.floor(random() * ends.length)] as (typeof ends)[number]
    const close = (turns: number): void => {
      if (turns === 0) end(socket)
      else setImmediate(() => close(turns - 1))
    }
    close(Math.floor(random() * 20))
  })
}

test('U22: 400 requests in a row meet no error of connections that close at random', async () => {
  const seed = 22
  await using origin = await startFickle(seed, 10)
  await using gateway = await startGateway(`
upstreams: { o: { endpoints: ["${origin.url}"] } }
routes: [{ match: GET /, steps: { x: { call: GET o /x } } }]`)
  const statuses = new Map<number, number>()
  for (let i = 0; i < 400; i++) {
    const { status } = await ask(gateway.url)
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
  }
  expect(statuses, `seed ${seed}`).toEqual(new Map([[200, 400]]))
  await gateway.idle()
  expect(gateway.read('oneloop.calls', { upstream: 'o' })).toBe(400)
  // Some were closed as the next request was under way, others in time.
  const retried = gateway.read('oneloop.retries', { upstream: 'o' })
  expect(retried).toBeGreaterThan(0)
  expect(origin.opened).toBeGreaterThan(retried)
})

test('U22: 16 clients at a time meet no error of connections that close at random', async () => {
  const seed = 22
  await using origin = await startFickle(seed, 10)
  await using gateway = await startGateway(`
upstreams: { o: { endpoints: ["${origin.url}"] } }
routes: [{ match: GET /, steps: { x: { call: GET o /x } } }]`)
  const statuses = new Map<number, number>()
  const client = async (): Promise<void> => {
    for (let i = 0; i < 50; i++) {
      const { status } = await ask(gateway.url)
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }
  }
  await Promise.all(Array.from({ length: 16 }, client))
  expect(statuses, `seed ${seed}`).toEqual(new Map([[200, 800]]))
  await gateway.idle()
  expect(gateway.read('oneloop.retries', { upstream: 'o' })).toBeGreaterThan(0)
})
