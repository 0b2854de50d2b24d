import { describe, expect, test } from 'vitest'
import { json, response } from '../support/origin.ts'
import { after, missingIn, startSetting } from './setting.ts'

describe('steps start as soon as they can', () => {
  test('those that read nothing from each other are under way at once', async () => {
    const answers = { '/a': after('/c', 'a'), '/b': after('/a', 'b'), '/c': after('/b', 'c') }
    await using setting = await startSetting(
      answers,
      `
- match: GET /all
  steps: { a: { call: GET u /a }, b: { call: GET u /b }, c: { call: GET u /c } }`,
    )
    expect((await setting.ask('/all')).text).toBe('{"a":"a","b":"b","c":"c"}')
  })

  test('one that reads from another waits for that one and for no other', async () => {
    const answers = { '/first': { next: 'x y' }, '/slow': after('/second/x%20y', 'slow'), '/second/x%20y': 'second' }
    await using setting = await startSetting(
      answers,
      `
- match: GET /all
  steps:
    second: { call: "GET u /second/{first.next}" }
    slow: { call: GET u /slow }
    first: { call: GET u /first }`,
    )
    expect((await setting.ask('/all')).json()).toEqual({ second: 'second', slow: 'slow', first: { next: 'x y' } })
  })

  test('one that reads from several waits for all of them, and each is called once', async () => {
    const answers = { '/top': { l: 'l', r: 'r' }, '/l': after('/r', { v: 1 }), '/r': { v: 2 }, '/join': 'ok' }
    await using setting = await startSetting(
      answers,
      `
- match: GET /diamond
  steps:
    top: { call: GET u /top }
    left: { call: "GET u /{top.l}" }
    right: { call: "GET u /{top.r}" }
    join: { call: "GET u /join?l={left.v}&r={right.v}&s={left@status}" }
  response: "{join}"`,
    )
    expect((await setting.ask('/diamond')).text).toBe('"ok"')
    expect(setting.arrived().toSorted()).toEqual(['/join?l=1&r=2&s=200', '/l', '/r', '/top'])
    expect(setting.arrived().at(-1)).toBe('/join?l=1&r=2&s=200')
  })

  test('one that reads from a step in its condition waits for it', async () => {
    await using setting = await startSetting(
      { '/flags': { on: true, off: false }, '/a': 'a', '/b': 'b' },
      `
- match: GET /all
  steps:
    a: { call: GET u /a, when: "flags.on" }
    b: { call: GET u /b, when: { flags.on: true }, unless: { flags.off: [false] } }
    flags: { call: GET u /flags }
  response: ["{a}", "{b}"]`,
    )
    expect((await setting.ask('/all')).text).toBe('["a",null]')
    expect(setting.arrived()).toEqual(['/flags', '/a'])
  })
})

describe('a step that is not to run', () => {
  const routes = `
- match: GET /all
  steps:
    always: { call: GET u /always }
    asked: { call: GET u /asked, when: { query.more: ["1", "true"] } }
    stood: { call: GET u /stood, unless: "query.more", fallback: { known: false } }
    depends: { call: "GET u /depends/{asked.id}", optional: true }
    defaults: { call: "GET u /defaults/{asked.id|none}" }`
  const answers = {
    '/always': 1,
    '/asked': { id: 7 },
    '/stood': 'not stood',
    '/depends/7': 'd',
    '/defaults/7': 'seven',
    '/defaults/none': 'none',
  }

  test('is skipped: its fallback or null stands for it, and it is not told as missing', async () => {
    await using setting = await startSetting(answers, routes)
    const received = await setting.ask('/all')
    expect(received.text).toBe('{"always":1,"asked":null,"stood":"not stood","depends":null,"defaults":"none"}')
    // What reads from it without a default cannot be called; that is told.
    expect(missingIn(received)).toEqual([{ step: 'depends', parameters: { error: 'bind_missing' } }])
    expect(setting.arrived().toSorted()).toEqual(['/always', '/defaults/none', '/stood'])
  })

  test('runs when its condition holds', async () => {
    await using setting = await startSetting(answers, routes)
    for (const more of ['1', 'true']) {
      const received = await setting.ask(`/all?more=${more}`)
      expect(received.text).toBe(
        '{"always":1,"asked":{"id":7},"stood":{"known":false},"depends":"d","defaults":"seven"}',
      )
      expect(received.headers['oneloop-missing']).toBe(undefined)
    }
    expect(setting.arrived()).not.toContain('/stood')
  })

  test('is no failure, also when all steps are skipped', async () => {
    await using setting = await startSetting(
      {},
      `
- match: GET /none
  steps: { a: { call: GET u /a, when: "query.a" }, b: { call: GET u /b, when: "query.b", optional: true } }`,
    )
    const received = await setting.ask('/none')
    expect([received.status, received.text]).toEqual([200, '{"a":null,"b":null}'])
    expect(setting.arrived()).toEqual([])
  })
})

describe('F7: the same call twice in one request', () => {
  test('is made once, and both steps have its reply', async () => {
    await using setting = await startSetting(
      { '/x/1': { n: 1 } },
      `
- match: GET /twice/:a/:b
  steps:
    a: { call: "GET u /x/{params.a}" }
    b: { call: "GET u /x/{params.b}" }
    c: { call: "GET u /x/{a.n}" }`,
    )
    expect((await setting.ask('/twice/1/1')).text).toBe('{"a":{"n":1},"b":{"n":1},"c":{"n":1}}')
    expect(setting.arrived()).toEqual(['/x/1'])
    await setting.ask('/twice/1/1')
    expect(setting.arrived()).toEqual(['/x/1', '/x/1'])
  })

  test('is made once also among the items of an each, and between an each and a step', async () => {
    await using setting = await startSetting(
      { '/x/1': 'one', '/x/2': 'two' },
      `
- match: POST /each
  steps:
    items: { each: "{body.ids}", call: "GET u /x/{item}" }
    first: { call: "GET u /x/{body.ids.0}" }`,
    )
    const received = await setting.post('/each', '{"ids":[1,2,1,1,2]}')
    expect(received.text).toBe('{"items":["one","two","one","one","two"],"first":"one"}')
    expect(setting.arrived().toSorted()).toEqual(['/x/1', '/x/2'])
  })

  test('that fails, fails for both', async () => {
    await using setting = await startSetting(
      { '/x': response(500, {}), '/ok': 1 },
      `
- match: GET /twice
  steps:
    a: { call: GET u /x, optional: true }
    b: { call: GET u /x, optional: true }
    ok: { call: GET u /ok }`,
    )
    const received = await setting.ask('/twice')
    expect(missingIn(received).map(({ step }) => step)).toEqual(['a', 'b'])
    expect(setting.arrived().toSorted()).toEqual(['/ok', '/x'])
  })

  test('is two calls when a field, the query, the accepted statuses or the decoding differ', async () => {
    await using setting = await startSetting(
      { '/x': 'x' },
      `
- match: GET /twice
  steps:
    plain: { call: GET u /x }
    field: { call: { upstream: u, path: /x, headers: { x-a: "1" } } }
    other: { call: { upstream: u, path: /x, headers: { x-a: "{query.a|2}" } } }
    asks: { call: "GET u /x?q=1" }
    accepts: { call: GET u /x, accept: [200, 404] }
    text: { call: GET u /x, decode: text }`,
    )
    const received = await setting.ask('/twice')
    expect(received.json()).toMatchObject({ plain: 'x', field: 'x', other: 'x', asks: 'x', accepts: 'x', text: '"x"' })
    expect(setting.origin.requests.length).toBe(6)
    const fields = setting.origin.requests.map(({ headers }) => headers['x-a'])
    expect(fields.filter((field) => field !== undefined).toSorted()).toEqual(['1', '2'])
  })

  test('is one call for each two that accept the same', async () => {
    await using setting = await startSetting(
      { '/x': json('x', 404) },
      `
- match: GET /twice
  steps:
    a: { call: GET u /x, optional: true }
    b: { call: GET u /x, optional: true }
    c: { call: GET u /x, accept: 404 }
    d: { call: GET u /x, accept: 404 }`,
    )
    expect((await setting.ask('/twice')).text).toBe('{"a":null,"b":null,"c":"x","d":"x"}')
    expect(setting.origin.requests.length).toBe(2)
  })

  test('is two calls when its method may change something', async () => {
    await using setting = await startSetting(
      { '/x': 'x' },
      `
- match: GET /twice
  steps:
    a: { call: POST u /x }
    b: { call: POST u /x }
    c: { call: DELETE u /x }
    d: { call: DELETE u /x }
    e: { call: { method: PUT, upstream: u, path: /x, body: 1 } }
    f: { call: { method: PUT, upstream: u, path: /x, body: 1 } }`,
    )
    expect((await setting.ask('/twice')).status).toBe(200)
    expect(setting.origin.requests.length).toBe(6)
  })
})

test('what a step sends is what is configured, and nothing of the client’s besides', async () => {
  await using setting = await startSetting(
    { '*': 1 },
    `
- match: POST /send/:code
  steps:
    a:
      call:
        method: PUT
        upstream: u
        path: "/a/{params.code}"
        query: { lang: "{query.lang?}", page: "{query.page|1}", fix: "a b" }
        headers: { x-key: "{headers.x-key}", accept: text/csv }
        body: { order: "{body.order}", note: "{body.note}", by: "{cookies.user}" }`,
    'headers: { authorization: "Bearer {t}" }',
  )
  const headers = {
    'x-key': 'k',
    cookie: 'user=me; other=1',
    'x-other': 'no',
    authorization: 'client',
    'x-request-id': 'id-1',
  }
  const received = await setting.ask('/send/%C3%BC%2B?lang=en%20us', headers, 'POST', '{"order":{"id":1}}')
  expect(received.status).toBe(200)
  const [sent] = setting.origin.requests
  expect(sent?.head.split('\r\n', 1)[0]).toBe('PUT /a/%C3%BC%2B?lang=en%20us&page=1&fix=a%20b HTTP/1.1')
  expect(sent?.headers).toEqual({
    'grpc-timeout': expect.stringMatching(/^\d+m$/),
    host: new URL(setting.origin.url).host,
    connection: 'keep-alive',
    authorization: 'Bearer {t}',
    'x-key': 'k',
    accept: 'text/csv',
    'accept-encoding': 'identity',
    'user-agent': 'oneloop',
    via: '1.1 oneloop',
    'x-request-id': 'id-1',
    traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/) as string,
    'content-type': 'application/json',
    'content-length': '28',
  })
  expect(String(await sent?.body)).toBe('{"order":{"id":1},"by":"me"}')
})

test('what * matched and the whole query go on as they came; a parameter is decoded and encoded again (C14)', async () => {
  await using setting = await startSetting(
    { '*': 1 },
    `
- match: GET /files/:name/*
  steps: { a: { call: { upstream: u, path: "/f/{params.name}/{params.*}", query: "{query}" } } }`,
  )
  await setting.ask('/files/a%2520b%3F/x%20y/%C3%BC/z;v=1?q=a%2Fb&q=%20&flag')
  await setting.ask('/files/n')
  await setting.ask('/files/n/%7Ex')
  expect(setting.arrived()).toEqual(['/f/a%2520b%3F/x%20y/%C3%BC/z;v=1?q=a%2Fb&q=%20&flag', '/f/n/', '/f/n/~x'])
})

test('a client’s JSON goes on as it came, and a reply comes back as it came, byte for byte', async () => {
  const body = ' { "n" : 12345678901234567890.0,\t"a":[ ] }\n'
  await using setting = await startSetting(
    { '/echo': async (asked: { body: Promise<Buffer> }) => response(200, {}, await asked.body) },
    `
- match: POST /echo
  steps: { echo: { call: { method: POST, upstream: u, path: /echo, body: "{body}" } } }
  response: { echo: "{echo}", n: "{echo.a}" }`,
  )
  expect((await setting.post('/echo', body)).text).toBe(`{"echo":${body},"n":[]}`)
})

test('the same replies give the same bytes, in the order written, whichever comes first', async () => {
  const replies = { '/a': { z: 1, 2: 2 }, '/b': [1] }
  const last = (path: '/a' | '/b', other: '/a' | '/b') => ({ ...replies, [path]: after(other, replies[path]) })
  const routes = `
- match: GET /all
  steps: { b: { call: GET u /b }, a: { call: GET u /a } }
  response: { "2": "{a}", "10": "{b}", "1": { $spread: ["{a}", { b: "{b}" }] }, x: { $concat: ["{b}", "{b}"] } }`
  await using aLast = await startSetting(last('/a', '/b'), routes)
  await using bLast = await startSetting(last('/b', '/a'), routes)
  for (const setting of [aLast, bLast]) {
    expect((await setting.ask('/all')).text).toBe('{"2":{"2":2,"z":1},"10":[1],"1":{"2":2,"z":1,"b":[1]},"x":[1,1]}')
  }
})

test('several kinds of failing steps beside good ones: all that can be answered is', async () => {
  await using setting = await startSetting(
    { '/ok': { n: 1 }, '/bad': Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{]}'), '/no': json({}, 404) },
    `
- match: GET /mixed
  steps:
    ok: { call: GET u /ok }
    bad: { call: GET u /bad, optional: true }
    no: { call: GET u /no, optional: true, fallback: [] }
    lost: { call: "GET u /{bad.x}", optional: true }`,
  )
  const received = await setting.ask('/mixed')
  expect(received.text).toBe('{"ok":{"n":1},"bad":null,"no":[],"lost":null}')
  expect(missingIn(received)).toEqual([
    { step: 'bad', parameters: { error: 'invalid_body' } },
    { step: 'no', parameters: { error: 'unaccepted_status', 'received-status': 404 } },
    { step: 'lost', parameters: { error: 'bind_missing' } },
  ])
})
