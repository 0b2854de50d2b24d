import { afterAll, expect, test } from 'vitest'
import { ask, connect, request } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { json, startOrigin } from '../support/origin.ts'
import { expectProblem } from '../support/problem.ts'

const origin = await startOrigin((asked, socket) => void socket.write(json(asked.target)))
afterAll(() => origin[Symbol.asyncDispose]())

/** A gateway whose every route says which one it is, and what its parameters were. */
const routed = (...matches: readonly string[]) => {
  const routes = matches.map((match, i) => {
    const params = [...match.matchAll(/\/:(\w+)/g)].map(([, name]) => `${name}: "{params.${name}}"`)
    const rest = match.endsWith('*') ? ['rest: "{params.*}"'] : []
    return `
  - match: ${match}
    steps: { it: { call: GET o /it } }
    response: { route: ${i}, ${[...params, ...rest].join(', ')} }`
  })
  return startGateway(`upstreams: { o: { endpoints: ["${origin.url}"] } }\nroutes:${routes.join('')}`)
}

test('a path that no route matches is answered 404, and the connection goes on', async () => {
  await using gateway = await routed('GET /a', 'GET /a/:x', 'GET /deep/*')
  await using client = await connect(gateway.port)
  for (const path of ['/', '/b', '/a/', '/a/b/c', '/A', '/deepest', '/a;x']) {
    client.send(request('GET', path))
    expect(expectProblem(await client.response(), 404).detail).toContain(path)
  }
  client.send(request('GET', '/a'))
  expect((await client.response()).json()).toEqual({ route: 0 })
})

test('the first route in the order of the file wins', async () => {
  await using gateway = await routed(
    'GET /p/me',
    'GET /p/:id',
    'GET /p/*',
    'GET /:any/x',
    'GET /q/:id',
    'GET /q/fixed/*',
    'GET /r',
    'ANY /r',
  )
  await using client = await connect(gateway.port)
  for (const [path, answer] of [
    ['/p/me', { route: 0 }],
    ['/p/you', { route: 1, id: 'you' }],
    ['/p', { route: 2, rest: '' }],
    ['/p/x', { route: 1, id: 'x' }],
    ['/p/x/y', { route: 2, rest: 'x/y' }],
    ['/q/x', { route: 3, any: 'q' }],
    ['/q/y', { route: 4, id: 'y' }],
    ['/q/fixed', { route: 4, id: 'fixed' }],
    ['/q/fixed/y', { route: 5, rest: 'y' }],
    ['/r', { route: 6 }],
  ] as const) {
    client.send(request('GET', path))
    expect({ path, answer: (await client.response()).json() }).toEqual({ path, answer })
  }
})

test('the first route in the order of the file wins also among routes of one path that others stand between', async () => {
  await using gateway = await routed('GET /a/:x', 'POST /:z/b', 'POST /a/:x', 'PUT /a/:y')
  await using client = await connect(gateway.port)
  for (const [method, path, answer] of [
    ['GET', '/a/b', { route: 0, x: 'b' }],
    ['POST', '/a/b', { route: 1, z: 'a' }],
    ['POST', '/a/c', { route: 2, x: 'c' }],
    ['PUT', '/a/b', { route: 3, y: 'b' }],
  ] as const) {
    client.send(request(method, path))
    expect({ path, answer: (await client.response()).json() }).toEqual({ path, answer })
  }
})

test('ANY /x/* also matches /x and /x/, and every method', async () => {
  await using gateway = await routed('ANY /x/*')
  await using client = await connect(gateway.port)
  for (const [path, rest] of [
    ['/x', ''],
    ['/x/', ''],
    ['/x/y', 'y'],
    ['/x/y/z/', 'y/z/'],
    ['/x/a%20b', 'a%20b'],
  ]) {
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      client.send(request(method, path as string))
      expect((await client.response()).json()).toEqual({ route: 0, rest })
    }
  }
  client.send(request('GET', '/xy'))
  expectProblem(await client.response(), 404)
})

test('a path is matched as it is written: what means something in a pattern elsewhere means nothing here', async () => {
  await using gateway = await routed('GET /a.b', 'GET /c+(d)', 'GET /e:f', 'GET /g$', 'GET /h~', "GET /i'j!")
  await using client = await connect(gateway.port)
  for (const [path, route] of [
    ['/a.b', 0],
    ['/c+(d)', 1],
    ['/e:f', 2],
    ['/g$', 3],
    ['/h~', 4],
    ["/i'j!", 5],
  ] as const) {
    client.send(request('GET', path))
    expect((await client.response()).json()).toEqual({ route })
  }
  for (const path of ['/axb', '/ccd', '/ex', '/g', '/h']) {
    client.send(request('GET', path))
    expectProblem(await client.response(), 404)
  }
})

test('parameters come decoded, each under the name that its own route gives it', async () => {
  await using gateway = await routed('GET /c/:code/n', 'GET /c/:id/m/:n', 'POST /c/:other/n')
  await using client = await connect(gateway.port)
  for (const [method, path, answer] of [
    ['GET', '/c/caf%C3%A9%20%26%2B/n', { route: 0, code: 'café &+' }],
    ['GET', '/c/1/m/%7B2%7D', { route: 1, id: '1', n: '{2}' }],
    ['POST', '/c/a+b/n', { route: 2, other: 'a+b' }],
    ['GET', '/c/%25/n', { route: 0, code: '%' }],
    ['GET', '/c/__proto__/n', { route: 0, code: '__proto__' }],
  ] as const) {
    client.send(request(method, path))
    expect({ path, answer: (await client.response()).json() }).toEqual({ path, answer })
  }
})

test('C15: a path that matches with another method only is answered 405 with all that are allowed', async () => {
  await using gateway = await routed('GET /a', 'POST /a', 'DELETE /:x', 'PUT /b/*', 'ANY /c')
  await using client = await connect(gateway.port)
  for (const [method, path, allow] of [
    ['PUT', '/a', 'GET, HEAD, POST, DELETE'],
    ['GET', '/z', 'DELETE'],
    ['HEAD', '/b/1', 'PUT'],
    ['PATCH', '/b', 'DELETE, PUT'],
  ] as const) {
    client.send(request(method, path))
    const response = await client.response(method)
    expect(response.headers['allow']).toBe(allow)
    expect(response.status).toBe(405)
  }
})

test('a GET route answers HEAD with the head of its GET and no body; a HEAD route in front of it goes first', async () => {
  await using gateway = await routed('GET /a', 'HEAD /b', 'GET /b', 'GET /c/:x')
  await using client = await connect(gateway.port)
  for (const path of ['/a', '/c/abc', '/nowhere']) {
    client.send(request('GET', path, { 'x-request-id': 'same' }))
    const get = await client.response()
    client.send(request('HEAD', path, { 'x-request-id': 'same' }))
    const head = await client.response('HEAD')
    expect(head.status).toBe(get.status)
    expect(head.headers).toEqual({ ...get.headers, date: head.headers['date'] })
    expect(Number(head.headers['content-length'])).toBe(get.body.length)
    expect(get.body.length).toBeGreaterThan(0)
  }
  client.send(request('HEAD', '/b'))
  const { headers } = await client.response('HEAD')
  expect(headers['content-length']).toBe(`${'{"route":1}'.length}`)
  // Had there been a body, it would stand where the next response begins.
  client.send(request('GET', '/b'))
  expect((await client.response()).json()).toEqual({ route: 2 })
})

test('the id of a request is taken from the client if it is harmless, goes upstream, and comes back', async () => {
  await using gateway = await routed('GET /a')
  for (const id of ['abc', 'A-z_0.9:+/=', 'x'.repeat(128)]) {
    const { headers } = await ask(gateway.port, request('GET', '/a', { 'x-request-id': id }))
    expect(headers['x-request-id']).toBe(id)
    expect(origin.requests.at(-1)?.headers['x-request-id']).toBe(id)
    const missing = await ask(gateway.port, request('GET', '/b', { 'x-request-id': id }))
    expect(missing.headers['x-request-id']).toBe(id)
  }
})

test('an id that could do harm in a log or a header is replaced, and no two made ids are the same', async () => {
  await using gateway = await routed('GET /a')
  const made = new Set<string>()
  for (const id of ['', 'a b', 'x'.repeat(129), '"', '<script>', '\xe9', ['a', 'b']]) {
    const { headers } = await ask(gateway.port, request('GET', '/a', { 'x-request-id': id }))
    expect(headers['x-request-id']).toMatch(/^[0-9a-f]{32}$/)
    expect(origin.requests.at(-1)?.headers['x-request-id']).toBe(headers['x-request-id'])
    made.add(headers['x-request-id'] as string)
  }
  expect(made.size).toBe(7)
})
