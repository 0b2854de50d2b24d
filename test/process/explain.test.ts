import { describe, expect, test, vi } from 'vitest'
import { json, startJsonOrigin, startOrigin } from '../support/origin.ts'
import { oneloop } from '../support/process.ts'

// Each test waits for processes of its own, which on a busy machine take their time to start.
vi.setConfig({ testTimeout: 60_000 })

const profile = `upstreams:
  countries: { endpoints: ["http://127.0.0.1:1"], timeout: 800ms }
  weather: { endpoints: ["http://127.0.0.1:1", "http://127.0.0.1:2"], timeout: 300ms, retry: 0, hedge: 20ms, breaker: off, limit: 8 }
routes:
  - match: GET /countries/:code
    name: profile
    budget: 1500ms
    steps:
      country: { call: "GET countries /countries/{params.code}" }
      weather: { call: "GET weather /now/{params.code}", optional: true, when: { query.weather: ["1"] } }
      neighbours: { each: "{country.borders}", call: "GET countries /countries/{item}", limit: 3, optional: true, fallback: [] }
  - match: POST /orders
    limits: { body: 4KiB }
    steps: { order: { call: { method: POST, upstream: countries, path: /orders, body: "{body}" } } }
  - match: ANY /raw/*
    forward: countries /{params.*}
`
const explain = (...args: string[]) => oneloop(['explain', '--config', 'gateway.yaml', ...args], profile)

describe('explain', { concurrent: true }, () => {
  test('it shows the route, the steps with what they wait for, what runs at once and the longest chain, and calls no one', async () => {
    const { code, stdout, stderr } = await explain('GET', '/countries/NO?weather=1')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout.trimEnd().split('\n')).toEqual([
      'route     profile',
      'match     GET /countries/:code',
      'budget    1.5 s',
      'limits    body 1048576 bytes',
      'steps',
      '  country       GET countries /countries/{params.code}  (800 ms; required)',
      '  weather       GET weather /now/{params.code}  (300 ms; optional; when {"query.weather":["1"]})',
      '    neighbours  GET countries /countries/{item}  (800 ms; optional; after country; for each of {country.borders}, 3 at once, at most 100; else [])',
      'at once   country, weather',
      'longest   country → neighbours: 1.6 s at the worst, cut at 1.5 s',
      'upstreams',
      '  countries  1 endpoint; 128 at once (adaptive); retry 1 (20 %); breaker 50 % of 20',
      '  weather    2 endpoints; 8 at once; no retry; hedge after 20 ms; no breaker',
    ])
  })

  test('a forward route is shown, and --run says that there is nothing to run', async () => {
    const { code, stdout, stderr } = await explain('DELETE', '/raw/a/b', '--run')
    expect(code).toBe(0)
    expect(stdout).toContain('forward   countries /{params.*}\n')
    expect(stderr).toContain('--run')
  })

  test('a path that no route has is 404, one with another method 405, one that is refused 400; the exit status is 1', async () => {
    const [unknown, method, refused] = await Promise.all([
      explain('GET', '/nowhere'),
      explain('GET', '/orders'),
      explain('GET', '/countries/..%2f'),
    ])
    expect(unknown).toEqual({ code: 1, stdout: '', stderr: 'oneloop: no route for /nowhere: 404\n' })
    expect(method).toEqual({ code: 1, stdout: '', stderr: 'oneloop: GET is not allowed on /orders, but POST: 405\n' })
    expect(refused).toEqual({
      code: 1,
      stdout: '',
      stderr: 'oneloop: /countries/..%2f is not a path that is served: 400\n',
    })
  })

  test.each([
    [['--body', '{"a":'], '--body is not JSON'],
    [['--body', '@missing.json'], '--body: missing.json cannot be read: no such file'],
    [['--header', 'x-tenant'], '--header needs "NAME: VALUE", not "x-tenant"'],
  ])('a fault in what the request is made of is told in one line, with exit status 2: %j', async (args, told) => {
    const { code, stdout, stderr } = await explain('POST', '/orders', '--run', ...args)
    expect(stderr.trimEnd().split('\n')).toEqual([expect.stringContaining(told)])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  })

  test('a transform that cannot be loaded is told at its place', async () => {
    const { code, stderr } = await oneloop(['explain', 'GET', '/a', '--config', 'gateway.yaml'], {
      'gateway.yaml': `upstreams: { shop: { endpoints: ["http://127.0.0.1:1"] } }
routes:
  - match: GET /a
    steps: { one: { call: GET shop /a } }
    transform: ./hook.ts#shape
`,
      'hook.ts': 'export const other = 1',
    })
    expect(stderr.trimEnd().split('\n')).toEqual([
      expect.stringMatching(/^gateway\.yaml:5:16: .*hook\.ts exports no function "shape"$/),
      'oneloop: 1 fault in the config',
    ])
    expect(code).toBe(1)
  })
})

describe('explain --run', { concurrent: true }, () => {
  test('it makes the calls itself and draws when each ran, without colour where there is no terminal', async () => {
    await using origin = await startOrigin(({ target }, socket) => {
      socket.write(target === '/weather' ? json({}, 404) : json({ path: target, borders: ['SE'] }))
    })
    const yaml = `upstreams: { shop: { endpoints: ["${origin.url}"] } }
routes:
  - match: GET /items/:id
    headers: { request: { set: { x-tenant: "{headers.x-tenant}" } } }
    steps:
      one: { call: { upstream: shop, path: "/items/{params.id}", query: "{query}" } }
      two: { each: "{one.borders}", call: "GET shop /two/{item}" }
      weather: { call: GET shop /weather, optional: true }
      never: { call: GET shop /never, when: query.never, optional: true }
    response: { id: "{one.path}", two: "{two}", weather: "{weather}" }
`
    const args = [
      'explain',
      'GET',
      '/items/a%20b?x=1?y=2',
      '--run',
      '--header',
      'X-Tenant: blue',
      '--config',
      'gateway.yaml',
    ]
    // A TERM does not make a terminal.
    const { code, stdout, stderr } = await oneloop(args, yaml, { TERM: 'xterm-256color' })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const asked = origin.requests.map(({ method, target, headers }) => `${method} ${target} ${headers['x-tenant']}`)
    expect(asked.toSorted()).toEqual(['GET /items/a%20b?x=1?y=2 blue', 'GET /two/SE blue', 'GET /weather blue'])
    expect(stdout).not.toContain('\u001b')
    const bar = (name: string, end: string) =>
      expect.stringMatching(new RegExp(`^${name} +\\| *=+ *\\| +\\d+\\.\\d ms  ${end}$`))
    expect(stdout.slice(stdout.indexOf('longest')).trimEnd().split('\n').slice(2)).toEqual([
      expect.stringMatching(/^ +\|0 +\d+\.\d ms\|$/),
      bar('one', '200'),
      bar('two', 'ok'),
      bar('weather', 'unaccepted_status 404'),
      expect.stringMatching(/^never .* skipped$/),
      '',
      'status    200',
      'missing   weather;error=unaccepted_status;received-status=404',
      '{"id":"/items/a%20b?x=1?y=2","two":[{"path":"/two/SE","borders":["SE"]}],"weather":null}',
    ])
  })

  test('a required step that fails decides: its status is told, what it cancelled is drawn up to then, the exit status is 1', async () => {
    await using origin = await startOrigin(({ target }, socket) => {
      // The other one never answers.
      if (target === '/gone') socket.write(json({}, 404))
    })
    const { code, stdout, stderr } = await oneloop(
      ['explain', 'GET', '/a', '--run', '--config', 'gateway.yaml'],
      `upstreams: { shop: { endpoints: ["${origin.url}"] } }
routes:
  - match: GET /a
    steps: { gone: { call: GET shop /gone }, slow: { call: GET shop /slow }, after: { call: "GET shop /{slow.id}" } }
`,
    )
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' })
    expect(stdout).not.toContain('NaN')
    const rows = stdout.split('\n')
    expect(rows).toContainEqual(expect.stringMatching(/^gone +\| *=+ *\| +\d+\.\d ms {2}unaccepted_status 404$/))
    expect(rows).toContainEqual(expect.stringMatching(/^slow +\| *=+\| +\d+\.\d ms {2}cancelled$/))
    expect(rows).toContainEqual(expect.stringMatching(/^after +\| +\| +- {2}cancelled$/))
    expect(rows).toContain('status    404 unaccepted_status (gone): the upstream answered 404')
  })

  test('an upstream that is not there is told with its cause', async () => {
    const { code, stdout } = await explain('GET', '/countries/NO', '--run')
    expect(code).toBe(1)
    expect(stdout).toMatch(/status {4}502 connection_refused \(country\): connect ECONNREFUSED 127\.0\.0\.1:1\n$/)
  })

  test('a body of a file goes upstream as it is, and is held against the schema', async () => {
    await using origin = await startJsonOrigin({ '/orders': { id: 7 } })
    const files = {
      'gateway.yaml': `upstreams: { shop: { endpoints: ["${origin.url}"] } }
routes:
  - match: POST /orders
    schema: ./order.json
    steps: { order: { call: { method: POST, upstream: shop, path: /orders, body: "{body}" } } }
`,
      'order.json': '{ "type": "object", "required": ["sku"] }',
      'good.json': '{ "sku":   "a" }',
    }
    const run = (body: string) =>
      oneloop(['explain', 'POST', '/orders', '--run', '--body', body, '--config', 'gateway.yaml'], files)
    const [good, bad] = await Promise.all([run('@good.json'), run('{"sk":1}')])
    expect(good.stdout).toMatch(/status {4}200\n\{"order":\{"id":7\}\}\n$/)
    expect(origin.requests.length).toBe(1)
    expect(String(await origin.requests[0]?.body)).toBe('{ "sku":   "a" }')
    expect({ code: bad.code, stderr: bad.stderr }).toEqual({
      code: 1,
      stderr: "oneloop: the body is not as it must be: # must have required property 'sku': 400\n",
    })
  })

  test('a transform makes the body, and what it throws is told with its place', async () => {
    await using origin = await startJsonOrigin({ '/a': { ok: true } })
    const files = {
      'gateway.yaml': `upstreams: { shop: { endpoints: ["${origin.url}"] } }
routes:
  - match: GET /good
    steps: { one: { call: GET shop /a } }
    transform: ./hook.ts#good
  - match: GET /bad
    steps: { one: { call: GET shop /a } }
    transform: ./hook.ts#bad
`,
      'hook.ts': `export const good = (_: unknown, replies: object): object => ({ made: replies })
export const bad = (): never => { throw new Error('on purpose') }`,
    }
    const run = (path: string) => oneloop(['explain', 'GET', path, '--run', '--config', 'gateway.yaml'], files)
    const [good, bad] = await Promise.all([run('/good'), run('/bad')])
    expect(good.stdout).toMatch(/body {6}made by good in .*hook\.ts\n/)
    expect(good.stdout).toMatch(/status {4}200\n\{"made":\{"one":\{"ok":true\}\}\}\n$/)
    expect(bad).toMatchObject({ code: 1, stderr: '' })
    expect(bad.stdout).toMatch(
      /\none +\|.*200\n\nstatus {4}500 transform_error: Error: on purpose\n +at bad \(.*hook\.ts\?[0-9a-f]+:2:/,
    )
  })
})
