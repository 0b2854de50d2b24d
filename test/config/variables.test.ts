import { expect, test } from 'vitest'

import { faults, folder, good, ROUTES } from './reading.ts'

test('variables become the type that the schema wants', () => {
  const { listen, loops, defaultsOf } = (() => {
    const config = good(
      `listen: { port: "\${PORT:-8081}", drain: "\${DRAIN}" }
loops: \${LOOPS}
defaults: { trusted: "\${TRUSTED}", connections: "\${CONNECTIONS:-7}", maxBody: "\${MAX}KiB" }${ROUTES}`,
      { env: { DRAIN: '7s', LOOPS: '2', TRUSTED: 'true', CONNECTIONS: '', MAX: '64' } },
    )
    return { ...config, defaultsOf: config.upstreams['shop'] }
  })()
  expect(listen).toMatchObject({ port: 8081, drain: 7000 })
  expect(loops).toBe(2)
  expect(defaultsOf).toMatchObject({ trusted: true, connections: 7, maxBody: 64 * 1024 })
})

test('variables are put into every value, templates among them, and not into keys', () => {
  const config = good(
    `${ROUTES}
  - match: GET /\${WHERE}
    steps: { one: { call: "GET \${WHO} /x" } }
    response: { "\${KEY}": ["\${WHERE}-\${WHO}", { a: "$\${x} \${NONE:-}" }] }
`,
    { env: { WHERE: 'here', WHO: 'shop', KEY: 'key' } },
  )
  expect(config.routes[1]).toMatchObject({
    match: { method: 'GET', path: '/here' },
    steps: { one: { call: { method: 'GET', upstream: 'shop', path: '/x' } } },
    response: new Map([['${KEY}', ['here-shop', new Map([['a', '${x} ']])]]]),
  })
})

test('a variable that is not set, or is none, is a fault at its value and leads to no other', () => {
  const text = `listen: { port: "\${PORT}", drain: "\${a b}" }
ops: { token: "\${A}\${B}" }
upstreams: { a: { endpoints: ["\${ORIGIN}"], timeout: "\${open" } }
routes: [ { match: "GET \${PATH}", forward: a } ]
`
  const form = 'expected ${NAME}, ${NAME:-default} or ${file:PATH}; $${ is a literal ${'
  expect(faults(text, { env: { PATH: undefined } })).toEqual([
    '1:17: the variable PORT is not set; ${PORT:-default} gives it a default',
    `1:35: ${form}`,
    '2:15: the variable A is not set; ${A:-default} gives it a default',
    '2:15: the variable B is not set; ${B:-default} gives it a default',
    '3:31: the variable ORIGIN is not set; ${ORIGIN:-default} gives it a default',
    `3:54: ${form}`,
    '4:20: the variable PATH is not set; ${PATH:-default} gives it a default',
  ])
})

test('a file is put in without its last newline, and is relative to the config that names it', async () => {
  using files = folder({
    'gateway.yaml': `include: [teams/a.yaml]\nops: { token: "\${file:token}" }${ROUTES}`,
    token: 'abc\n\n',
    'teams/a.yaml': 'upstreams: { a: { endpoints: ["http://a"], headers: { x-key: "${file:key}" } } }',
    'teams/key': 'k\r\n',
  })
  const { config, files: read } = await files.load('gateway.yaml')
  expect(config?.ops.token).toBe('abc\n')
  expect(config?.upstreams['a']?.headers).toEqual({ 'x-key': 'k' })
  expect(read).toEqual(['gateway.yaml', 'teams/a.yaml', 'teams/key', 'token'])
})

test('a file that cannot be read is a fault', () => {
  expect(faults(`ops: { token: "\${file:no/such}" }${ROUTES}`)).toEqual([
    '1:15: ${file:no/such} cannot be read: no such file',
  ])
})

test('no fault shows the value of a variable or a file', async () => {
  const secret = 'hun"ter2'
  using files = folder({
    secret,
    'gateway.yaml': `
include: ["\${S}.yaml"]
listen: { host: "\${S}", port: "\${S}", drain: "\${S}", trustedProxies: ["\${S}"] }
loops: "\${S}"
upstreams: { a: { endpoints: ["http://\${S}@x", "\${file:secret}"], limit: "\${S}", headers: { x: "\${S}\\n" } } }
routes:
  - { match: "\${S} /x", forward: "\${S}" }
  - { match: "GET \${S}", steps: { one: { call: "\${S} \${S} /", decode: "\${S}", accept: "\${S}" } }, schema: "\${S}" }
  - { match: GET /m, forward: a, transform: "\${S}.ts#\${S}", status: "\${S}" }
`,
  })
  const { faults: told } = await files.load('gateway.yaml', {
    env: { S: secret },
  })
  expect(told.length).toBeGreaterThan(15)
  expect(told.filter((line) => /hun|ter2/.test(line))).toEqual([])
  expect(told).toContain(
    'gateway.yaml:7:14: expected GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS or ANY, not "${S} /x"',
  )
})

test('what meaning quotes of a variable is taken out as well, wherever it tells it', () => {
  const text = ROUTES.replace('forward: shop', 'forward: "${S}"')
  const told = (path: (string | number)[]) =>
    faults(text, {
      env: { S: 'hush' },
      meaning: () => [{ path, message: 'unknown upstream "hush"; did you mean "shop"?', severity: 'fault' }],
    })
  expect(told(['routes', 0, 'forward'])).toEqual(['6:14: unknown upstream "${S}"?'])
  expect(told(['routes', 0])).toEqual(['5:5: unknown upstream "${S}"?'])
  expect(told(['upstreams'])).toEqual(['2:1: unknown upstream "hush"; did you mean "shop"?'])
})
