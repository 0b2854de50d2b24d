import { once } from 'node:events'
import { createConnection } from 'node:net'
import { expect, test } from 'vitest'
import { type Client, connect, request } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { type Arrived, type Origin, json, startOrigin } from '../support/origin.ts'

const routes = ({ url }: Origin): string => `
upstreams: { o: { endpoints: ["${url}"], timeout: 60s } }
routes:
  - match: GET /step
    budget: 60s
    steps: { a: { call: GET o /step } }
  - match: ANY /forward
    budget: 60s
    forward: o /forward
`

/** An origin that answers when it is told to. */
async function heldOrigin() {
  const held = Promise.withResolvers<void>()
  const origin = await startOrigin(async ({ target }: Arrived, socket) => {
    if (target === '/forward') socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nbegun')
    await held.promise
    socket.write(target === '/forward' ? 'ended' : json({ held: true }))
  })
  return { origin, release: () => held.resolve(), [Symbol.asyncDispose]: () => origin[Symbol.asyncDispose]() }
}

const long = 15_000

test('P1: what is under way when the drain begins is answered, and its connection then closed', async () => {
  await using held = await heldOrigin()
  const { origin, release } = held
  await using gateway = await startGateway(routes(origin))
  await using step = await connect(gateway.port)
  await using forward = await connect(gateway.port)
  step.send(request('GET', '/step'))
  forward.send(request('GET', '/forward'))
  await forward.until('begun')
  await origin.until(({ requests }) => requests.length === 2)
  const drained = gateway.drain(0, long)
  release()
  const response = await step.response()
  expect(response.json()).toEqual({ a: { held: true } })
  expect(response.headers['connection']).toBe('close')
  expect(await step.rest()).toBe('')
  // Its head had been sent before, so it does not say so; it ends whole all the same.
  expect(await forward.rest()).toBe('ended')
  expect(await drained).toBe(0)
})

test('P1: no new connection is taken, and one that is there is served once more and closed', async () => {
  await using held = await heldOrigin()
  const { origin, release } = held
  release()
  await using gateway = await startGateway(routes(origin))
  await using used = await connect(gateway.port)
  used.send(request('GET', '/step'))
  expect((await used.response()).headers['connection']).toBe('keep-alive')
  const drained = gateway.drain(long, long)
  const late = createConnection(gateway.port, '127.0.0.1')
  const [refused] = (await once(late, 'error')) as [Error & { code?: string }]
  expect(refused.code).toBe('ECONNREFUSED')
  used.send(request('GET', '/step'))
  const last = await used.response()
  expect(last.json()).toEqual({ a: { held: true } })
  expect(last.headers['connection']).toBe('close')
  expect(await used.rest()).toBe('')
  // Long before anything is taken for quiet.
  expect(await drained).toBe(0)
})

test('P1: connections that are quiet are closed, those that were never used among them', async () => {
  await using held = await heldOrigin()
  const { origin, release } = held
  release()
  await using gateway = await startGateway(routes(origin))
  await using used = await connect(gateway.port)
  await using unused = await connect(gateway.port)
  used.send(request('GET', '/step'))
  await used.response()
  const drained = gateway.drain(100, long)
  expect(await used.rest()).toBe('')
  expect(await unused.rest()).toBe('')
  expect(await drained).toBe(0)
})

test('P1: requests that were sent ahead when the drain begins are answered, and then the connection closed', async () => {
  await using held = await heldOrigin()
  const { origin, release } = held
  await using gateway = await startGateway(routes(origin))
  await using client = await connect(gateway.port)
  client.send(Buffer.concat([request('GET', '/step'), request('GET', '/step'), request('GET', '/step')]))
  await origin.until(({ requests }) => requests.length === 1)
  const drained = gateway.drain(0, long)
  release()
  for (const connection of ['keep-alive', 'keep-alive', 'close']) {
    const response = await client.response()
    expect(response.json()).toEqual({ a: { held: true } })
    expect(response.headers['connection']).toBe(connection)
  }
  expect(await client.rest()).toBe('')
  expect(await drained).toBe(0)
})

test('P2: what is not done in time is cut and counted, with all its calls', async () => {
  await using held = await heldOrigin()
  const { origin } = held
  await using gateway = await startGateway(routes(origin))
  const clients: Client[] = []
  for (let i = 0; i < 4; i++) clients.push(await connect(gateway.port))
  const [quiet, ...busy] = clients as [Client, ...Client[]]
  for (const client of busy) client.send(request('GET', '/step'))
  await origin.until(({ requests }) => requests.length === busy.length)
  expect(await gateway.drain(0, 100)).toBe(busy.length)
  for (const client of [quiet, ...busy]) expect(await client.rest()).toBe('')
  await origin.until(({ open }) => open === 0)
  await gateway.idle()
})
