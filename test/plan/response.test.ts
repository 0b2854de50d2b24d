import { describe, expect, test } from 'vitest'
import { json, response } from '../support/origin.ts'
import { expectProblem, missingIn, startSetting } from './setting.ts'

describe('a response', () => {
  test('is an object with every step by name, in the order written, where nothing else is', async () => {
    await using setting = await startSetting(
      { '/a': { b: 1, a: 2 }, '/z': 'z', '/no': json({}, 404) },
      `
- match: GET /all
  steps: { z: { call: GET u /z }, no: { call: GET u /no, optional: true }, a: { call: GET u /a } }`,
    )
    const received = await setting.ask('/all')
    expect(received.text).toBe('{"z":"z","no":null,"a":{"b":1,"a":2}}')
    expect(received.headers).toMatchObject({ 'content-type': 'application/json', 'content-length': '37' })
  })

  test('has the status that is written, also when parts are missing', async () => {
    await using setting = await startSetting(
      { '/a': 1, '/no': json({}, 404) },
      `
- match: POST /made
  status: 201
  steps: { a: { call: GET u /a }, no: { call: GET u /no, optional: true } }
  response: { made: "{a}" }
- match: DELETE /gone
  status: 204
  steps: { a: { call: GET u /a } }`,
    )
    const made = await setting.post('/made', '')
    expect([made.status, made.text]).toEqual([201, '{"made":1}'])
    expect(missingIn(made).length).toBe(1)
    const gone = await setting.ask('/gone', {}, 'DELETE')
    expect([gone.status, gone.text, gone.headers['content-type']]).toEqual([204, '', undefined])
  })

  test('of constants needs no reply', async () => {
    await using setting = await startSetting(
      { '/a': 1 },
      `
- match: GET /ping
  steps: { a: { call: GET u /a } }
  response: { ok: true, "2": "{{two}}", "1": [null, 1.5] }`,
    )
    expect((await setting.ask('/ping')).text).toBe('{"ok":true,"2":"{two}","1":[null,1.5]}')
  })

  test('joins, maps and spreads replies, and leaves out what is null', async () => {
    await using setting = await startSetting(
      {
        '/a': { list: [{ n: 1 }, { n: 2 }], o: { x: 1, y: 2 } },
        '/b': { list: [{ n: 3 }], o: { y: 3 } },
        '/no': json({}, 500),
      },
      `
- match: GET /all
  steps: { a: { call: GET u /a }, b: { call: GET u /b }, no: { call: GET u /no, optional: true } }
  response:
    list: { $concat: ["{a.list}", "{no.list}", "{b.list}"] }
    o: { $spread: ["{a.o}", "{no}", "{b.o}", { z: "{query.z?}" }] }
    names: { $each: "{a.list}", as: "{index}-{item.n}" }
    none: { $each: "{no.list}", as: 1 }`,
    )
    expect((await setting.ask('/all')).text).toBe(
      '{"list":[{"n":1},{"n":2},{"n":3}],"o":{"x":1,"y":3},"names":["0-1","1-2"],"none":null}',
    )
  })
})

describe('the header of a response', () => {
  test('has what is set, of the request, of replies and of constants; what has no value or cannot be sent is left out', async () => {
    await using setting = await startSetting(
      {
        '/a': response(
          200,
          { etag: '"v1"', 'content-type': 'x/y' },
          '{"n":7,"o":{"k":[1]},"bad":"a\\r\\nb: c","wide":"\\u2603"}',
        ),
      },
      `
- match: POST /set/:code
  steps: { a: { call: GET u /a } }
  response: "{a.n}"
  headers:
    response:
      set:
        x-code: "{params.code}"
        x-n: "n={a.n}"
        x-o: "{a.o}"
        x-etag: "{a@headers.etag}"
        x-body: "{body.id}"
        x-const: "{{1}}"
        x-none: "{a.none}"
        x-bad: "{a.bad}"
        x-wide: "{a.wide}"
        content-type: application/vnd.x+json`,
    )
    const received = await setting.post('/set/a%0D%0Ab', '{"id":5}')
    expect(received.status).toBe(200)
    expect(received.headers).not.toHaveProperty('x-code')
    expect((await setting.post('/set/x', '{"id":5}')).headers).toMatchObject({
      'x-code': 'x',
      'x-n': 'n=7',
      'x-o': '{"k":[1]}',
      'x-etag': '"v1"',
      'x-body': '5',
      'x-const': '{1}',
      'content-type': 'application/vnd.x+json',
    })
    for (const name of ['x-none', 'x-bad', 'x-wide']) expect(received.headers).not.toHaveProperty(name)
    expect(received.head).not.toContain('\r\nb: c')
  })

  test('has the fields of the steps that are named, but none that speaks of a body or a connection, nor our own', async () => {
    const fields = {
      'x-a': 'a',
      'x-both': 'from-a',
      'x-gone': 'x',
      'set-cookie': 'a=1',
      'x-request-id': 'theirs',
      'content-type': 'text/plain',
      'content-language': 'en',
      etag: '"a"',
      'last-modified': 'x',
      connection: 'keep-alive, x-hop',
      'x-hop': 'hop',
      'keep-alive': 'timeout=5',
      'proxy-authenticate': 'Basic',
    }
    await using setting = await startSetting(
      {
        '/a': response(200, fields, '1'),
        '/b': response(200, { 'x-both': 'from-b', 'x-b': 'b' }, '2'),
        '/c': json({}, 500),
      },
      `
- match: GET /from
  steps: { a: { call: GET u /a }, b: { call: GET u /b }, c: { call: GET u /c, optional: true } }
  headers: { response: { from: [c, a, b], remove: [x-gone], set: { x-b: "b!" } } }
- match: GET /plain
  steps: { a: { call: GET u /a } }`,
    )
    const received = await setting.ask('/from', { 'x-request-id': 'ours' })
    expect(received.headers).toMatchObject({
      'x-a': 'a',
      'x-both': 'from-a',
      'x-b': 'b!',
      'set-cookie': 'a=1',
      'content-language': 'en',
      'content-type': 'application/json',
      'x-request-id': 'ours',
    })
    for (const name of ['x-gone', 'x-hop', 'etag', 'last-modified', 'proxy-authenticate']) {
      expect(received.headers).not.toHaveProperty(name)
    }
    expect(Object.keys((await setting.ask('/plain')).headers).toSorted()).toEqual([
      'connection',
      'content-length',
      'content-type',
      'date',
      'keep-alive',
      'x-request-id',
    ])
  })

  test('loses what is removed', async () => {
    await using setting = await startSetting(
      { '/a': 1 },
      `
- match: GET /bare
  steps: { a: { call: GET u /a } }
  headers: { response: { remove: [x-request-id] } }`,
    )
    expect((await setting.ask('/bare')).headers).not.toHaveProperty('x-request-id')
  })

  test('of a failure is ours alone', async () => {
    await using setting = await startSetting(
      { '/a': response(404, { 'x-a': 'a', 'cache-control': 'max-age=60' }) },
      `
- match: GET /from
  steps: { a: { call: GET u /a } }
  headers: { response: { from: [a], set: { cache-control: max-age=60, x-set: "1" } } }`,
    )
    const received = await setting.ask('/from')
    expectProblem(received, 404, 'received-status=404')
    expect(received.headers).not.toHaveProperty('x-a')
  })
})

describe('the header of a route’s calls', () => {
  test('has what the upstream and the route set, and what the step itself sets in their place', async () => {
    await using setting = await startSetting(
      { '*': 1 },
      `
- match: GET /set
  headers: { request: { set: { x-route: "{query.r?}", x-both: route, x-tenant: "{headers.x-tenant|none}" }, remove: [x-up, user-agent] } }
  steps:
    a: { call: GET u /a }
    b: { call: { upstream: u, path: /b, headers: { x-both: "step", x-up: again } } }`,
      'headers: { x-up: "{1}", x-key: k }',
    )
    expect((await setting.ask('/set?r=1', { 'user-agent': 'client', 'x-other': 'no' })).status).toBe(200)
    const [a, b] = setting.origin.requests.toSorted((one, other) => one.target.localeCompare(other.target))
    expect(a?.headers).toMatchObject({ 'x-route': '1', 'x-both': 'route', 'x-tenant': 'none', 'x-key': 'k' })
    for (const name of ['x-up', 'user-agent', 'x-other']) expect(a?.headers).not.toHaveProperty(name)
    expect(b?.headers).toMatchObject({ 'x-both': 'step', 'x-up': 'again', 'x-key': 'k' })
    expect((await setting.ask('/set')).status).toBe(200)
    expect(setting.origin.requests.at(-1)?.headers).not.toHaveProperty('x-route')
  })
})
