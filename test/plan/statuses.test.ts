import { describe, expect, test } from 'vitest'
import { json, response, startOrigin } from '../support/origin.ts'
import { startGateway } from '../support/gateway.ts'
import { ask, request } from '../support/client.ts'
import { expectProblem, missingIn, startSetting } from './setting.ts'

const oneStep = (more = ''): string => `
- match: GET /one
  name: one
  steps: { a: { call: GET u /a, ${more} } }`

describe('the status of a required step', () => {
  test.each([400, 401, 403, 404, 409, 410, 418, 422, 429, 451, 499])('%i is its own: it passes', async (status) => {
    await using setting = await startSetting({ '/a': json({ secret: 1 }, status) }, oneStep())
    const problem = expectProblem(await setting.ask('/one'), status, `received-status=${status}`)
    expect(problem).toMatchObject({
      error: 'unaccepted_status',
      errors: [{ step: 'a', error: 'unaccepted_status', receivedStatus: status }],
    })
    expect(JSON.stringify(problem)).not.toContain('secret')
    await setting.gateway.idle()
    expect(setting.gateway.read('oneloop.requests', { 'http.route': 'one', result: 'client_error' })).toBe(1)
  })

  test.each([300, 301, 304, 407, 500, 501, 502, 504, 505, 599])(
    '%i is 502: it speaks of the upstream',
    async (status) => {
      const answer = response(status, status === 304 ? {} : { location: '/b', 'proxy-authenticate': 'Basic' })
      await using setting = await startSetting({ '/a': answer }, oneStep())
      const received = await setting.ask('/one')
      expectProblem(received, 502, `received-status=${status}`)
      expect(received.headers).not.toHaveProperty('proxy-authenticate')
      expect(received.headers).not.toHaveProperty('location')
      await setting.gateway.idle()
      expect(setting.gateway.read('oneloop.requests', { 'http.route': 'one', result: 'unaccepted_status' })).toBe(1)
      expect(setting.gateway.lines).toMatchObject([
        { fields: { reason: 'unaccepted_status', step: 'a', receivedStatus: status } },
      ])
    },
  )

  test.each([429, 503])('U25: %i passes with its Retry-After', async (status) => {
    await using setting = await startSetting({ '/a': response(status, { 'retry-after': '7' }) }, oneStep())
    const received = await setting.ask('/one')
    expectProblem(received, status, `received-status=${status}`)
    expect(received.headers['retry-after']).toBe('7')
  })

  test('passes no Retry-After but that of 429 and 503', async () => {
    await using setting = await startSetting({ '/a': response(404, { 'retry-after': '7' }) }, oneStep())
    expect((await setting.ask('/one')).headers).not.toHaveProperty('retry-after')
  })
})

describe('accept', () => {
  const routes = `
- match: GET /found
  steps: { a: { call: GET u /a, accept: [2xx, 404] }, b: { call: "GET u /b/{a@status}" } }
- match: GET /only
  steps: { a: { call: GET u /a, accept: 201 } }
- match: GET /fours
  steps: { a: { call: GET u /a, accept: 4xx } }`

  test('makes a reply of the statuses that it lists, and of no other', async () => {
    await using setting = await startSetting({ '/a': json({ why: 'none' }, 404), '/b/404': 'b' }, routes)
    const received = await setting.ask('/found')
    expect([received.status, received.text]).toEqual([200, '{"a":{"why":"none"},"b":"b"}'])
    expectProblem(await setting.ask('/only'), 404, 'received-status=404')
    expect((await setting.ask('/fours')).status).toBe(200)
  })

  test('leaves a 200 that it does not list unaccepted', async () => {
    await using setting = await startSetting({ '/a': 1 }, routes)
    expectProblem(await setting.ask('/fours'), 502, 'received-status=200')
    expectProblem(await setting.ask('/only'), 502, 'received-status=200')
  })
})

describe('decode', () => {
  const routes = `
- match: GET /json
  steps: { a: { call: GET u /a } }
- match: GET /text
  steps: { a: { call: GET u /a, decode: text } }
  response: { a: "{a}", line: "<{a}>", deep: "{a.x}" }`

  test('json is spliced, text is a JSON string, and the content type is not looked at', async () => {
    await using setting = await startSetting(
      { '/a': response(200, { 'content-type': 'text/html' }, '{"x":"é\\n"}') },
      routes,
    )
    expect((await setting.ask('/json')).text).toBe('{"a":{"x":"é\\n"}}')
    const text = JSON.stringify('{"x":"é\\n"}')
    expect((await setting.ask('/text')).text).toBe(
      `{"a":${text},"line":${text.replace('"', '"<').replace(/"$/, '>"')},"deep":null}`,
    )
  })

  test.each([
    ['an empty body', response(200, { 'content-type': 'application/json' })],
    ['a 204', response(204, {})],
    ['a 205', response(205, {})],
  ])('%s is null, of either kind, and no failure', async (_, answer) => {
    await using setting = await startSetting({ '/a': answer }, routes)
    const received = await setting.ask('/json')
    expect([received.text, received.headers['oneloop-missing']]).toEqual(['{"a":null}', undefined])
    expect((await setting.ask('/text')).text).toBe('{"a":null,"line":null,"deep":null}')
  })

  test.each(['{"x":1', ' ', '{"x":1}x', "{'x':1}", '\ufeff{}', 'NaN', '[1,]'])(
    'U19: a body that is not one JSON value fails the step: %j',
    async (body) => {
      await using setting = await startSetting({ '/a': response(200, {}, body) }, routes)
      expectProblem(await setting.ask('/json'), 502, 'error=invalid_body')
      expect((await setting.ask('/text')).status).toBe(200)
    },
  )

  test.each(['0', '-1.5e3', '"x"', 'true', 'null', '[]'])('JSON need not be an object: %s', async (body) => {
    await using setting = await startSetting({ '/a': response(200, {}, body) }, routes)
    expect((await setting.ask('/json')).text).toBe(`{"a":${body}}`)
  })
})

describe('a call that cannot be bound is not sent', () => {
  const routes = `
- match: POST /from/client/:code
  steps: { a: { call: "GET u /x/{params.code}/{body.id}" } }
- match: GET /query
  steps: { a: { call: { upstream: u, path: /x, query: { q: "{query.q}" } } } }
- match: GET /header
  steps: { a: { call: { upstream: u, path: /x, headers: { x-a: "{headers.x-a}" } } } }
- match: POST /body
  steps: { a: { call: { method: POST, upstream: u, path: /x, body: "{body}" } } }
- match: GET /from/reply
  steps: { o: { call: GET u /o }, a: { call: "GET u /x/{o.id}" } }
- match: GET /optional
  steps: { o: { call: GET u /o }, a: { call: "GET u /x/{o.id}", optional: true } }`

  const expectUnbound = (problem: Record<string, unknown>, who: string, reference: string): void => {
    expect(problem['detail']).toBe(`${who} gives no usable value for {${reference}} (a)`)
    expect(problem).toMatchObject({ error: 'bind_missing', errors: [{ step: 'a', error: 'bind_missing', reference }] })
  }

  test('400 names what the client did not send, or sent so that it cannot be used', async () => {
    await using setting = await startSetting({ '*': 1 }, routes)
    for (const body of [
      '{}',
      '{"id":null}',
      '{"id":{}}',
      '{"id":""}',
      '{"id":".."}',
      '{"id":"\\r"}',
      '{"id":"\\ud800"}',
    ]) {
      const problem = expectProblem(await setting.post('/from/client/x', body), 400, 'error=bind_missing')
      expectUnbound(problem, 'the request', 'body.id')
    }
    expectUnbound(expectProblem(await setting.ask('/query'), 400, 'error=bind_missing'), 'the request', 'query.q')
    expectUnbound(expectProblem(await setting.ask('/header'), 400, 'error=bind_missing'), 'the request', 'headers.x-a')
    expectUnbound(expectProblem(await setting.post('/body', ''), 400, 'error=bind_missing'), 'the request', 'body')
    expect(setting.arrived()).toEqual([])
  })

  test('C21: 400 for CR or LF that a client would put into a path, a query or a header', async () => {
    await using setting = await startSetting({ '*': 1 }, routes)
    expectProblem(await setting.post('/from/client/a%0D%0Ax:y', '{"id":1}'), 400, 'error=bind_missing')
    expectProblem(await setting.ask('/query?q=a%0Ab'), 400, 'error=bind_missing')
    expect(setting.arrived()).toEqual([])
  })

  test('400 for a body that is no JSON', async () => {
    await using setting = await startSetting({ '*': 1 }, routes)
    for (const body of ['{', 'x', '\ufeff{}', '{"id":1}}']) {
      const received = await setting.post('/from/client/x', body)
      expect(received.status).toBe(400)
      expect((received.json() as { detail: string }).detail).toContain('the body is not valid JSON')
    }
    expect(setting.arrived()).toEqual([])
  })

  test('400 for a body that is nested too deep to be read, and the loop lives', async () => {
    await using setting = await startSetting(
      { '*': 1 },
      `${routes}
- match: POST /deep
  steps: { a: { call: { method: POST, upstream: u, path: /x, body: { deep: "{body.x}" } } } }
  response: { deep: "{body.x}" }`,
    )
    for (const body of [
      `{"x":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
      `${'{"x":'.repeat(100_000)}1${'}'.repeat(100_000)}`,
    ]) {
      expect((await setting.post('/deep', body)).status).toBe(400)
    }
    const shallow = `{"x":${'['.repeat(500)}${']'.repeat(500)}}`
    expect((await setting.post('/deep', shallow)).text).toBe(shallow.replace('x', 'deep'))
  })

  test('502 names what a reply did not hold', async () => {
    await using setting = await startSetting({ '/o': { id: null } }, routes)
    expectUnbound(expectProblem(await setting.ask('/from/reply'), 502, 'error=bind_missing'), 'a reply', 'o.id')
    const received = await setting.ask('/optional')
    expect([received.status, received.text]).toEqual([200, '{"o":{"id":null},"a":null}'])
    expect(missingIn(received)).toEqual([{ step: 'a', parameters: { error: 'bind_missing' } }])
    expect(new Set(setting.arrived())).toEqual(new Set(['/o']))
  })
})

test('no answer tells a next hop; the log does, since an operator needs it', async () => {
  const gone = await startOrigin(() => {})
  await gone[Symbol.asyncDispose]()
  await using origin = await startOrigin((_, socket) => void socket.write(json(1)))
  await using gateway = await startGateway(`
upstreams: { gone: { endpoints: ["${gone.url}"] }, u: { endpoints: ["${origin.url}/base"] } }
routes:
- match: GET /required
  steps: { a: { call: GET gone /a }, b: { call: GET u /b } }
- match: GET /optional
  steps: { a: { call: GET gone /a, optional: true }, b: { call: GET u /b } }
- match: ANY /forward/*
  forward: gone /`)
  for (const target of ['/required', '/optional', '/forward/x']) {
    const { head, text } = await ask(gateway.port, request('GET', target))
    expect(head + text).toContain('connection_refused')
    expect(head + text).not.toMatch(new RegExp(`127\\.0\\.0\\.1|:${gone.port}|:${origin.port}`))
  }
  await gateway.idle()
  const details = gateway.lines.map(({ fields }) => String(fields['detail']))
  expect(details.length).toBe(2)
  for (const detail of details) expect(detail).toContain(`127.0.0.1:${gone.port}`)
})
