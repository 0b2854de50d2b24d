import { afterAll, expect, test } from 'vitest'
import { connect, request } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { response as reply, startOrigin } from '../support/origin.ts'
import { expectProblem } from '../support/problem.ts'

const origin = await startOrigin(
  (_, socket) => void socket.write(reply(200, { 'content-type': 'application/json' }, '{}')),
)
afterAll(() => origin[Symbol.asyncDispose]())

const routes = `
upstreams: { o: { endpoints: ["${origin.url}"] } }
routes:
  - match: GET /path/:x
    steps: { a: { call: "GET o /p/{params.x}/end" } }
  - match: GET /query
    steps: { a: { call: { upstream: o, path: /q, query: { x: "{query.x}" } } } }
  - match: GET /optional
    steps: { a: { call: { upstream: o, path: /q, query: { x: "{query.x?}" } } } }
  - match: GET /default
    steps: { a: { call: { upstream: o, path: /q, query: { x: "{query.x|none}" } } } }
  - match: GET /header
    steps: { a: { call: { upstream: o, path: /h, headers: { x-copy: "a {query.x} b" } } } }
  - match: GET /cookie
    steps: { a: { call: { upstream: o, path: /h, headers: { x-copy: "{cookies.c}" } } } }
  - match: POST /body
    steps: { a: { call: { upstream: o, path: "/p/{body.x}", headers: { x-copy: "{body.y}" } } } }
  - match: GET /set
    steps: { a: { call: GET o /s } }
    headers:
      request: { set: { x-in: "{query.x?}" } }
      response: { set: { x-out: "{query.x}", x-fixed: "fixed" } }
  - match: ANY /forward/*
    forward: o /f/{params.*}
    headers:
      request: { set: { x-in: "{query.x}" } }
      response: { set: { x-out: "{query.x}" } }
  - match: GET /target/:x
    forward: o /t/{params.x}?x={query.x}
`
const gateway = await startGateway(routes)
afterAll(() => gateway.close())

/** Sends one request and gives how it was answered, byte for byte, and what the origin got of it, or null. */
async function sent(bytes: Buffer) {
  await using client = await connect(gateway.port)
  const before = origin.requests.length
  client.send(bytes)
  const response = await client.response()
  return { response, arrived: origin.requests.length === before ? null : (origin.requests.at(-1) ?? null) }
}

const evil = ['a%0d%0aX-Evil:%201', '%0a', 'a%0D', '%00', 'a%00b']

test.each(evil)(
  'C21: %s in the path, the query or a header of a call is answered 400 and sent to nobody',
  async (x) => {
    for (const target of [
      `/query?x=${x}`,
      `/optional?x=${x}`,
      `/default?x=${x}`,
      `/header?x=${x}`,
      `/target/a?x=${x}`,
    ]) {
      const { response, arrived } = await sent(request('GET', target))
      const problem = expectProblem(response, 400)
      expect(problem).toMatchObject({ error: 'bind_missing', detail: expect.stringContaining('{query.x') })
      expect(arrived).toBeNull()
    }
    const { response, arrived } = await sent(request('GET', `/path/${x}`))
    expectProblem(response, 400)
    expect(arrived).toBeNull()
  },
)

test('C21: a line break in a JSON body is answered 400 where a path or a header would hold it', async () => {
  for (const body of [
    { x: 'a\r\nX-Evil: 1', y: 'b' },
    { x: 'a', y: 'b\r\nX-Evil: 1' },
    { x: 'a\0', y: 'b' },
    { x: 'a', y: '\n' },
  ]) {
    const { response, arrived } = await sent(request('POST', '/body', {}, JSON.stringify(body)))
    expect(expectProblem(response, 400).error).toBe('bind_missing')
    expect(arrived).toBeNull()
  }
})

test('C21: a header value that no header can hold is answered 400 where a call would hold it', async () => {
  for (const x of ['%e2%82%ac', '%01', '%7f', '%1b[2J']) {
    const { response, arrived } = await sent(request('GET', `/header?x=${x}`))
    expectProblem(response, 400)
    expect(arrived).toBeNull()
  }
  const { arrived } = await sent(request('GET', '/header?x=%c3%a9%09%20%22'))
  expect(arrived?.headers['x-copy']).toBe('a \xe9\t " b')
})

test('what a route sets in headers comes out on either side', async () => {
  for (const target of ['/set?x=fine', '/forward/a?x=fine']) {
    const { response, arrived } = await sent(request('GET', target))
    expect(response.headers['x-out']).toBe('fine')
    expect(arrived?.headers['x-in']).toBe('fine')
  }
})

test.each(evil)('C21: %s never comes out of a header that a route sets, on either side', async (x) => {
  for (const target of [`/set?x=${x}`, `/forward/a?x=${x}`]) {
    const { response, arrived } = await sent(request('GET', target))
    expect(response.status).toBe(target.startsWith('/forward') ? 200 : 400)
    expect(response.headers).not.toHaveProperty('x-evil')
    expect(response.headers).not.toHaveProperty('x-out')
    for (const name of ['x-evil', 'x-in']) expect(arrived?.headers ?? {}).not.toHaveProperty(name)
    expect(arrived?.head.split('\r\n').some((line) => /[\r\n\0]/.test(line)) ?? false).toBe(false)
  }
})

test('C21: what `*` matched is sent on encoded as it came, so that nothing breaks out of it', async () => {
  const { response, arrived } = await sent(request('GET', '/forward/a%0d%0aX-Evil:%201%20HTTP/1.1?y=%0d%0a'))
  expect(response.status).toBe(200)
  expect(arrived?.target).toBe('/f/a%0D%0AX-Evil:%201%20HTTP/1.1?y=%0d%0a')
  expect(arrived?.headers).not.toHaveProperty('x-evil')
})

test('a value that would make a segment of a path empty, . or .. is answered 400, however it is written', async () => {
  for (const x of ['', '.', '..']) {
    const { response, arrived } = await sent(request('POST', '/body', {}, JSON.stringify({ x, y: 'b' })))
    expect(expectProblem(response, 400).detail).toContain('{body.x}')
    expect(arrived).toBeNull()
  }
  // What is only like it is a name as any other.
  const { arrived } = await sent(request('POST', '/body', {}, JSON.stringify({ x: '../..', y: 'b' })))
  expect(arrived?.target).toBe('/p/..%2F..')
})

test('C21: an id of a request with a line break in it is not taken over', async () => {
  await using client = await connect(gateway.port)
  client.send('GET /nowhere HTTP/1.1\r\nHost: h\r\nX-Request-Id: a\tb\r\n\r\n')
  expect((await client.response()).headers['x-request-id']).toMatch(/^[0-9a-f]{32}$/)
})

test('C21: the log has the path and not the query, and no character that would break a line', async () => {
  await sent(request('GET', '/nowhere%0a?secret=1'))
  const dead = await startOrigin(() => {})
  await dead[Symbol.asyncDispose]()
  await using failing = await startGateway(`
upstreams: { o: { endpoints: ["${dead.url}"] } }
routes: [{ match: ANY /*, forward: o }]`)
  await using client = await connect(failing.port)
  client.send(request('GET', '/a%0a%1b?secret=1'))
  expectProblem(await client.response(), 502)
  await failing.idle()
  expect(failing.lines).toHaveLength(1)
  expect(failing.lines[0]?.fields).toMatchObject({ path: '/a%0A%1B', method: 'GET', reason: 'connection_refused' })
  expect(JSON.stringify(failing.lines)).not.toContain('secret')
})
