import { expect, test } from 'vitest'
import { type Client, ask, chunk, connect, request } from '../support/client.ts'
import { type TestGateway, startGateway } from '../support/gateway.ts'
import { type Origin, json, startOrigin } from '../support/origin.ts'

/** Answers what begins with /quick and leaves all else waiting. */
const origins = () =>
  startOrigin((asked, socket) => {
    if (asked.target.startsWith('/quick')) socket.write(json([1, 2, 3]))
    if (asked.target.startsWith('/stream')) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nbegun')
  })

// No deadline is near: only that the client leaves can end anything here.
const routes = ({ url }: Origin): string => `
defaults: { timeout: 60s, limit: { max: 6, queue: 10, wait: 60s } }
upstreams: { o: { endpoints: ["${url}"] } }
routes:
  - match: GET /steps
    budget: 60s
    steps:
      first: { call: GET o /quick }
      a: { call: GET o /a }
      b: { call: GET o /b, optional: true }
      c: { call: { upstream: o, path: /c, query: { n: "{first.0}" } }, optional: true }
      after: { call: { upstream: o, path: /after, query: { n: "{c}" } }, optional: true }
      each: { each: "{first}", limit: 2, call: { upstream: o, path: "/each/{item}" }, optional: true }
  - match: POST /body
    budget: 60s
    steps: { a: { call: { method: POST, upstream: o, path: /a, body: "{body}" } } }
  - match: ANY /forward/*
    budget: 60s
    forward: o /{params.*}
`

/** Expects that nothing is under way any more and that the request was told of once, as one whose client has left. */
async function expectCancelled(gateway: TestGateway, origin: Origin, route: string, calls: number): Promise<void> {
  await origin.until(({ open }) => open === 0)
  await gateway.idle()
  expect(gateway.read('oneloop.requests', { 'http.route': route, result: 'cancelled' })).toBe(1)
  expect(gateway.read('oneloop.requests', { 'http.route': route })).toBe(1)
  expect(gateway.read('oneloop.calls', { upstream: 'o', 'error.type': 'cancelled' })).toBe(calls)
  expect(gateway.lines.map(({ fields }) => fields)).toMatchObject([{ reason: 'cancelled', route }])
}

const ways: readonly ['leave' | 'reset', string][] = [
  ['leave', 'closes'],
  ['reset', 'resets'],
]

test.each(ways)(
  'C3: a client that %ss in mid-request has all its calls cancelled, and those that wait never begin',
  async (way) => {
    await using origin = await origins()
    await using gateway = await startGateway(routes(origin))
    await using client = await connect(gateway.port)
    client.send(request('GET', '/steps'))
    // The one that is answered, and all that then wait: a, b, c, and two of each.
    await origin.until(({ requests }) => requests.length === 6)
    client[way]()
    await origin.until(({ open }) => open <= 1)
    await gateway.idle()
    // The connection on which /quick was answered may be used again, or was: it is the only one that may stay.
    expect(gateway.read('oneloop.requests', { 'http.route': 'GET /steps', result: 'cancelled' })).toBe(1)
    expect(gateway.read('oneloop.calls', { upstream: 'o', 'error.type': 'cancelled' })).toBe(5)
    expect(gateway.lines.map(({ fields }) => fields)).toMatchObject([
      { reason: 'cancelled', route: 'GET /steps', method: 'GET', path: '/steps', requestId: expect.any(String) },
    ])
    const seen = origin.requests.map(({ target }) => target)
    expect(seen.filter((target) => target.startsWith('/after') || target === '/each/3')).toEqual([])
  },
)

test('C3: the permits of calls that were cancelled are free again', async () => {
  await using origin = await origins()
  await using gateway = await startGateway(routes(origin))
  for (let round = 1; round <= 3; round++) {
    const clients: Client[] = []
    for (let i = 0; i < 6; i++) clients.push(await connect(gateway.port))
    for (const client of clients) client.send(request('GET', '/forward/wait'))
    await origin.until(({ requests }) => requests.filter(({ target }) => target === '/wait').length === 6 * round)
    for (const client of clients) client.leave()
    await gateway.idle()
  }
  expect((await ask(gateway.port, request('GET', '/forward/quick'))).status).toBe(200)
})

test('C3: a client that leaves while its call waits for a permit gives its place up', async () => {
  await using origin = await origins()
  await using gateway = await startGateway(routes(origin))
  const clients: Client[] = []
  for (let i = 0; i < 6; i++) clients.push(await connect(gateway.port))
  for (const client of clients) client.send(request('GET', '/forward/wait'))
  await origin.until(({ requests }) => requests.length === 6)
  await using waiting = await connect(gateway.port)
  waiting.send(request('GET', '/forward/never'))
  const active = () => gateway.read('oneloop.calls.active', { upstream: 'o' })
  while (active() < 7) await new Promise((done) => setImmediate(done))
  waiting.leave()
  while (active() > 6) await new Promise((done) => setImmediate(done))
  for (const client of clients) client.leave()
  await gateway.idle()
  expect(origin.requests.map(({ target }) => target)).not.toContain('/never')
  expect((await ask(gateway.port, request('GET', '/forward/quick'))).status).toBe(200)
})

test.each(ways)(
  'C3: a client that %ss in the middle of its body is counted, and nothing is called for it',
  async (way) => {
    await using origin = await origins()
    await using gateway = await startGateway(routes(origin))
    await using client = await connect(gateway.port)
    client.send(request('POST', '/body', { expect: '100-continue', 'content-length': '100' }))
    // By then the gateway is reading it.
    await client.until('100 Continue\r\n\r\n')
    await client.sent('{"x":')
    client[way]()
    const left = () => gateway.read('oneloop.requests', { 'http.route': 'POST /body', result: 'cancelled' })
    while (left() === 0) await new Promise((done) => setImmediate(done))
    await expectCancelled(gateway, origin, 'POST /body', 0)
    expect(origin.opened).toBe(0)
  },
)

test.each(ways)('C3: a client of a forward route that %ss while it waits cancels the call', async (way) => {
  await using origin = await origins()
  await using gateway = await startGateway(routes(origin))
  await using client = await connect(gateway.port)
  client.send(request('GET', '/forward/wait'))
  await origin.until(({ requests }) => requests.length === 1)
  expect(gateway.read('http.server.active_requests', { 'http.route': 'ANY /forward/*' })).toBe(1)
  client[way]()
  await expectCancelled(gateway, origin, 'ANY /forward/*', 1)
})

test.each(ways)(
  'C3: a client of a forward route that %ss in the middle of its upload cancels the call',
  async (way) => {
    await using origin = await origins()
    await using gateway = await startGateway(routes(origin))
    for (const headers of [{ 'content-length': '1000000' }, { 'transfer-encoding': 'chunked' }]) {
      await using client = await connect(gateway.port)
      const before = origin.requests.length
      client.send(request('POST', '/forward/upload', headers))
      client.send('content-length' in headers ? 'begun' : chunk('begun'))
      await origin.until(({ requests }) => requests.length > before)
      client[way]()
      await origin.until(({ open }) => open === 0)
      await gateway.idle()
    }
    expect(gateway.read('oneloop.requests', { result: 'cancelled' })).toBe(2)
    expect(gateway.read('oneloop.calls', { 'error.type': 'cancelled' })).toBe(2)
  },
)

test.each(ways)(
  'C3: a client of a forward route that %ss in the middle of its download cancels the call',
  async (way) => {
    await using origin = await origins()
    await using gateway = await startGateway(routes(origin))
    await using client = await connect(gateway.port)
    client.send(request('GET', '/forward/stream'))
    await client.until('begun')
    client[way]()
    await expectCancelled(gateway, origin, 'ANY /forward/*', 1)
  },
)

test('C3: a client that leaves takes the requests that it sent ahead with it', async () => {
  await using origin = await origins()
  await using gateway = await startGateway(routes(origin))
  await using client = await connect(gateway.port)
  client.send(
    Buffer.concat([
      request('GET', '/forward/wait'),
      request('GET', '/forward/never'),
      request('GET', '/forward/never'),
    ]),
  )
  await origin.until(({ requests }) => requests.length === 1)
  client.leave()
  await expectCancelled(gateway, origin, 'ANY /forward/*', 1)
  expect(origin.requests.map(({ target }) => target)).toEqual(['/wait'])
})
