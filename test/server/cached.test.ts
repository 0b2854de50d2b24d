import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type TestGateway, startGateway } from '../support/gateway.ts'
import { type Arrived, type Origin, type Script, json, response, startOrigin } from '../support/origin.ts'

/** A gateway whose routes are all cached, before an origin that the test plays. */
async function start(
  script: Script,
): Promise<{ gateway: TestGateway & AsyncDisposable; origin: Origin } & AsyncDisposable> {
  await using stack = new AsyncDisposableStack()
  const origin = stack.use(await startOrigin(script))
  const gateway = await startGateway(`
defaults: { retry: 0, breaker: off }
upstreams: { o: { endpoints: ["${origin.url}"] } }
routes:
  - match: ANY /http/*
    forward: o /{params.*}
    cache: http
  - match: ANY /ttl/*
    forward: o /{params.*}
    cache: 1h
  - match: GET /step/:id
    steps: { x: { call: { upstream: o, path: "/x/{params.id}", headers: { x-user: "{headers.x-user?}" } }, cache: 1h } }
  - match: GET /varied
    steps: { x: { call: GET o /varied, cache: { ttl: 1h, vary: [headers.accept-language, query.page] } } }
  - match: GET /stale
    steps: { x: { call: GET o /stale, cache: { ttl: 1ms, stale: 1h } } }
  - match: GET /error
    steps: { x: { call: GET o /error, cache: { ttl: 1ms, onError: 1h } } }
  - match: GET /off
    cache: 1h
    steps: { x: { call: GET o /off, cache: off } }
`)
  stack.defer(() => void gateway.close())
  const owned = stack.move()
  return { gateway, origin, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

const counted = ({ gateway }: { gateway: TestGateway }, result: string): number =>
  gateway.read('oneloop.cache', { upstream: 'o', result })
const echo = (fields: Record<string, string>): Script => {
  let made = 0
  return ({ target, headers }, socket) =>
    void socket.write(json({ target, made: ++made, user: headers['x-user'] ?? headers['authorization'] }, 200, fields))
}

test('a forward route answers from what is kept: GET, HEAD, conditional, a range', async () => {
  await using it = await start((_, socket) => {
    socket.write(
      response(200, { 'cache-control': 'max-age=60', etag: '"1"', 'content-type': 'text/plain' }, '0123456789'),
    )
  })
  const url = `${it.gateway.url}/http/a`
  const first = await fetch(url)
  expect([first.headers.get('cache-status'), await first.text()]).toEqual(['oneloop;fwd=uri-miss;stored', '0123456789'])
  const second = await fetch(url)
  expect([second.headers.get('age'), await second.text()]).toEqual(['0', '0123456789'])
  expect(second.headers.get('cache-status')).toMatch(/^oneloop;hit;ttl=(?:59|60)$/)
  const head = await fetch(url, { method: 'HEAD' })
  expect([head.status, head.headers.get('content-length')]).toEqual([200, '10'])
  // With a condition and without these two, fetch would ask for no-cache.
  const plain = { 'cache-control': 'max-age=60', pragma: 'x' }
  const same = await fetch(url, { headers: { ...plain, 'if-none-match': '"1"' } })
  expect([same.status, same.headers.get('etag')]).toEqual([304, '"1"'])
  const part = await fetch(url, { headers: { range: 'bytes=2-4' } })
  expect([part.status, part.headers.get('content-range'), await part.text()]).toEqual([206, 'bytes 2-4/10', '234'])
  expect(it.origin.requests.length).toBe(1)
  expect([counted(it, 'miss'), counted(it, 'hit')]).toEqual([1, 4])
})

test('a body past the bound just streams, and one that breaks off is not kept', async () => {
  const large = Buffer.alloc(1024 ** 2 + 1, 'x')
  let broken = true
  await using it = await start(({ target }, socket) => {
    const fields = { 'cache-control': 'max-age=60' }
    if (target === '/large') return void socket.write(response(200, fields, large))
    const whole = response(200, fields, 'whole')
    if (broken) socket.end(whole.subarray(0, -1))
    else socket.write(whole)
    broken = false
  })
  for (let i = 0; i < 2; i++) {
    const got = await fetch(`${it.gateway.url}/http/large`)
    expect(got.headers.get('cache-status')).toBe('oneloop;fwd=uri-miss')
    expect((await got.bytes()).length).toBe(large.length)
  }
  await expect(fetch(`${it.gateway.url}/http/broken`).then((got) => got.text())).rejects.toThrow('terminated')
  expect(await (await fetch(`${it.gateway.url}/http/broken`)).text()).toBe('whole')
  expect(it.origin.requests.length).toBe(4)
})

test('a step is answered from what is kept, whatever upstream and client say of it', async () => {
  await using it = await start(echo({ 'cache-control': 'no-store' }))
  const url = `${it.gateway.url}/step/7`
  const asked = [{}, { 'cache-control': 'no-cache' }, { pragma: 'no-cache' }, { 'cache-control': 'no-store' }]
  const bodies = []
  for (const headers of asked) bodies.push(await (await fetch(url, { headers })).text())
  expect(bodies).toEqual(asked.map(() => '{"x":{"target":"/x/7","made":1}}'))
  expect([counted(it, 'miss'), counted(it, 'hit')]).toEqual([1, 3])
})

test('all that is bound from the request is part of the key, and what vary names', async () => {
  await using it = await start(echo({}))
  const made = async (path: string, headers: Record<string, string> = {}): Promise<number> =>
    ((await (await fetch(`${it.gateway.url}${path}`, { headers })).json()) as { x: { made: number } }).x.made
  const asked: [string, Record<string, string>?][] = [
    ['/step/1'],
    ['/step/2'],
    ['/step/1', { 'x-user': 'a' }],
    ['/step/1', { 'x-user': 'b' }],
    ['/varied'],
    ['/varied', { 'accept-language': 'de' }],
    ['/varied?page=2'],
    ['/varied?page=2', { 'accept-language': 'de' }],
  ]
  for (const [i, one] of asked.entries()) expect(await made(...one)).toBe(i + 1)
  // None of this is sent, or is an id.
  const unkeyed = { 'x-request-id': 'x', traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`, 'x-other': 'y' }
  for (const [i, [path, headers]] of asked.entries()) expect(await made(path, { ...headers, ...unkeyed })).toBe(i + 1)
  expect(await made('/varied?page=2&other=1')).toBe(7)
})

test('what is stale is used while it is fetched anew, or when that fails, where that is written', async () => {
  let made = 0
  let fails = false
  await using it = await start(({ target }, socket) => {
    socket.write(fails && target === '/error' ? json({}, 500) : json({ made: ++made }))
  })
  const ask = async (path: string): Promise<unknown> => (await fetch(it.gateway.url + path)).json()
  expect(await ask('/stale')).toEqual({ x: { made: 1 } })
  while (counted(it, 'stale') === 0) expect(await ask('/stale')).toEqual({ x: { made: 1 } })
  await it.origin.until(({ requests }) => requests.length === 2)
  const before = (await ask('/error')) as { x: { made: number } }
  fails = true
  let got = before
  while (counted(it, 'stale') < 3 && got.x !== null) got = (await ask('/error')) as typeof before
  expect(got.x.made).toBeGreaterThanOrEqual(before.x.made)
})

test('cache: off on a step switches off what its route has', async () => {
  await using it = await start(echo({}))
  for (const made of [1, 2]) {
    expect(await (await fetch(`${it.gateway.url}/off`)).json()).toEqual({ x: { target: '/off', made } })
  }
})

test('a host that a client makes up has replies of its own, and fields that could change the target are not kept', async () => {
  await using it = await start(({ headers }, socket) => {
    const seen = { host: headers['x-forwarded-host'], url: headers['x-original-url'] }
    socket.write(json(seen, 200, { 'cache-control': 'max-age=60' }))
  })
  const url = `${it.gateway.url}/http/a`
  // The key has the host: a fetch cannot set it, but nobody trusts what a client says of it either.
  const poisoned = await (
    await fetch(url, { headers: { 'x-original-url': '/admin', 'x-forwarded-host': 'evil' } })
  ).json()
  expect(poisoned).toMatchObject({ url: '/admin' })
  expect(await (await fetch(url)).json()).toEqual({ host: `127.0.0.1:${it.gateway.port}` })
})

const directives = [
  'public',
  's-maxage=60',
  'max-age=60',
  'must-revalidate',
  'no-cache',
  'private',
  'stale-if-error=60',
]

test('two who send different credentials never see each other’s reply, whatever is said of it', async () => {
  await using it = await start(({ headers, target }: Arrived, socket) => {
    const [, control = '', vary = ''] = target.split('/').map(decodeURIComponent)
    const fields = { 'cache-control': control, vary, etag: '"1"', ...(vary === 'cookie' && { 'set-cookie': 'a=b' }) }
    if (headers['if-none-match'] === '"1"') return void socket.write(response(304, fields))
    socket.write(json({ user: headers['authorization'] }, 200, fields))
  })
  const user = fc.constantFrom('a', 'b')
  const order = fc.array(fc.tuple(user, fc.constantFrom('http', 'ttl'), fc.constantFrom('GET', 'HEAD')), {
    minLength: 2,
    maxLength: 8,
  })
  const more = fc.constantFrom('', 'no-cache', 'max-stale', 'min-fresh=10')
  let run = 0
  await fc.assert(
    fc.asyncProperty(
      fc.subarray(directives),
      fc.constantFrom('', 'accept', 'cookie'),
      order,
      more,
      async (all, vary, asks, own) => {
        const path = `${encodeURIComponent(all.join(', ') || 'max-age=60')}/${vary || 'x-none'}/${run++}`
        for (const [authorization, route, method] of asks) {
          const headers = { authorization, ...(own !== '' && { 'cache-control': own }) }
          const got = await fetch(`${it.gateway.url}/${route}/${path}`, { method, headers })
          const text = await got.text()
          expect(text).toBe(method === 'HEAD' ? '' : JSON.stringify({ user: authorization }))
        }
      },
    ),
    { numRuns: 60 },
  )
})

test('many who ask at once for what is not there are one call, and one that leaves cancels nobody', async () => {
  const waiting: (() => void)[] = []
  await using it = await start(({ target }, socket) => {
    waiting.push(() => void socket.write(json({ target }, 200, { 'cache-control': 'max-age=60' })))
  })
  for (const path of ['/step/1', '/http/a']) {
    const leaving = new AbortController()
    const left = fetch(it.gateway.url + path, { signal: leaving.signal }).catch(() => null)
    const sent = it.origin.requests.length
    await it.origin.until(({ requests }) => requests.length > sent || requests.length === (path === '/step/1' ? 1 : 2))
    const many = Array.from({ length: 20 }, () => fetch(it.gateway.url + path).then((got) => got.text()))
    while (it.gateway.read('http.server.active_requests', {}) < 21) await new Promise((done) => setImmediate(done))
    leaving.abort()
    await left
    while (it.gateway.read('http.server.active_requests', {}) > 20) await new Promise((done) => setImmediate(done))
    // A stream ends with the client that it was for: another of those who wait asks for it anew.
    await it.origin.until(({ requests }) => requests.length === (path === '/step/1' ? 1 : 3))
    for (const answer of waiting.splice(0)) answer()
    expect(new Set(await Promise.all(many)).size).toBe(1)
  }
  expect(it.origin.requests.length).toBe(3)
  await it.gateway.idle()
})

test('who waits for a reply that turns out to be for one client only asks for himself', async () => {
  const waiting: (() => void)[] = []
  await using it = await start(({ target }, socket) => {
    waiting.push(() => void socket.write(json({ target, made: waiting.length }, 200, { 'cache-control': 'private' })))
  })
  const many = Array.from({ length: 5 }, () => fetch(`${it.gateway.url}/http/a`).then((got) => got.text()))
  await it.origin.until(({ requests }) => requests.length === 1)
  while (it.gateway.read('http.server.active_requests', {}) < 5) await new Promise((done) => setImmediate(done))
  waiting[0]?.()
  await it.origin.until(({ requests }) => requests.length === 5)
  for (const answer of waiting.slice(1)) answer()
  expect((await Promise.all(many)).length).toBe(5)
})

/** A gateway with one route of two steps, and what each of them is answered with. */
async function startMerged(fields: Record<string, Record<string, string>>, steps: string) {
  await using stack = new AsyncDisposableStack()
  const script: Script = ({ target }, socket) => void socket.write(json({ target }, 200, fields[target] ?? {}))
  const origin = stack.use(await startOrigin(script))
  const gateway = await startGateway(`
upstreams: { o: { endpoints: ["${origin.url}"] } }
routes: [ { match: GET /, steps: { ${steps} } } ]
`)
  stack.defer(() => void gateway.close())
  const owned = stack.move()
  return { url: gateway.url, origin, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

const plainSteps = 'a: { call: GET o /a }, b: { call: GET o /b }'

test.each([
  ['max-age=60', 'max-age=30', 'max-age=30'],
  ['public, max-age=60', 'private, max-age=90', 'private, max-age=60'],
  ['max-age=60', 'no-store', 'no-store'],
  ['max-age=60', 'no-cache', 'no-cache'],
  ['max-age=60, must-revalidate', 's-maxage=10, max-age=90', 'max-age=60, must-revalidate'],
  ['max-age=60', '', 'no-cache'],
  ['', '', null],
])('of parts that say %j and %j the whole says %j', async (a, b, whole) => {
  const fieldsOf = (value: string): Record<string, string> => (value === '' ? {} : { 'cache-control': value })
  await using it = await startMerged({ '/a': fieldsOf(a), '/b': fieldsOf(b) }, plainSteps)
  const got = await fetch(it.url)
  await got.text()
  expect(got.headers.get('cache-control')).toBe(whole)
  expect(got.headers.has('etag')).toBe(whole !== null && whole !== 'no-store')
  expect(got.headers.has('cache-status')).toBe(false)
})

test('what comes from a cache tells how old it is, and from where each part came', async () => {
  await using it = await startMerged(
    { '/b': { 'cache-control': 'max-age=100', age: '40' } },
    'a: { call: GET o /a, cache: 1m }, b: { call: GET o /b, cache: http }',
  )
  const first = await fetch(it.url)
  await first.text()
  expect(first.headers.get('cache-status')).toMatch(
    /^oneloop\/a;fwd=uri-miss;ttl=60;stored, oneloop\/b;fwd=uri-miss;ttl=(?:60|59);stored$/,
  )
  const second = await fetch(it.url)
  await second.text()
  expect(second.headers.get('cache-status')).toMatch(/^oneloop\/a;hit;ttl=\d+, oneloop\/b;hit;ttl=\d+$/)
  // Fresh for a minute, and as old as its oldest part.
  const age = Number(second.headers.get('age'))
  expect(age).toBeGreaterThanOrEqual(40)
  expect(Number(/^max-age=(\d+)$/.exec(second.headers.get('cache-control') ?? '')?.[1])).toBeLessThanOrEqual(60 + age)
  expect(it.origin.requests.length).toBe(2)
})

test('a client that has the merged response already is told so', async () => {
  await using it = await startMerged({}, 'a: { call: GET o /a, cache: 1m }, b: { call: GET o /b, cache: 1m }')
  const first = await fetch(it.url)
  const etag = first.headers.get('etag') ?? ''
  expect([first.status, etag]).toEqual([200, expect.stringMatching(/^".+"$/)])
  const text = await first.text()
  const ask = (known: string) =>
    fetch(it.url, { headers: { 'if-none-match': known, 'cache-control': 'x', pragma: 'x' } })
  const same = await ask(`"other", W/${etag}`)
  expect([same.status, same.headers.get('etag'), await same.text()]).toEqual([304, etag, ''])
  const other = await ask('"other"')
  expect([other.status, await other.text()]).toEqual([200, text])
})

test('what depends on who asks is private, and says which fields it depends on', async () => {
  const call =
    '{ upstream: o, path: /a, headers: { authorization: "{headers.Authorization?}", x-a: "{headers.x-a?}" } }'
  await using it = await startMerged({}, `a: { call: ${call}, cache: 1m }`)
  const got = await fetch(it.url, { headers: { authorization: 'me' } })
  await got.text()
  expect(got.headers.get('cache-control')).toBe('private, max-age=60')
  expect(got.headers.get('vary')).toBe('authorization, x-a')
})

test('an answer that lacks a part is not to be kept, whatever the others say', async () => {
  await using it = await startMerged(
    { '/a': { 'cache-control': 'max-age=60' } },
    'a: { call: GET o /a, cache: http }, b: { call: GET o /b, accept: 404, optional: true }',
  )
  const got = await fetch(it.url)
  await got.text()
  expect([got.headers.get('cache-control'), got.headers.has('etag')]).toEqual(['no-store', false])
})
