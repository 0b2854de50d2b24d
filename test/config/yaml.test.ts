import { readFileSync } from 'node:fs'

import fc from 'fast-check'
import { expect, test } from 'vitest'

import { faults, good, read, ROUTES } from './reading.ts'

test('a syntax error is told alone', () => {
  expect(faults('lissen: 1\nroutes: [1,\nupstreams: 5\n')).toEqual([
    '3:1: YAML: Flow sequence in block collection must be sufficiently indented and end with a ]',
  ])
})

test.each([
  ['summary: {country.name}, {country.region}', '1:24'],
  ['call: { path: /x/{params.code} }', '1:18'],
  ['listen: { port: ${PORT} }', '1:18'],
])('an unquoted brace on the line of a syntax error is hinted at: %s', (text, at) => {
  const [fault, ...others] = faults(text)
  expect(fault).toMatch(new RegExp(`^${at}: YAML: .*; a string with a brace needs quotes$`))
  expect(others).toEqual([])
})

test('a quoted brace is no reason for the hint', () => {
  expect(faults('a: "{x}" b')[0]).not.toContain('quotes')
})

test('a flow key without a colon is told as what was meant, and read so', () => {
  const text = `${ROUTES}
  - match: GET /x
    steps: { country: { call: GET shop /x } }
    response:
      country: {country}
      list: [ {country.name}, { a, b: 1 } ]
`
  expect(faults(text)).toEqual(['11:16: write "{country}"', '12:15: write "{country.name}"', '12:33: "a" has no value'])
})

test('a key that is written twice is a fault at the second', () => {
  expect(faults(`loops: 1\nloops: 2${ROUTES}`)).toEqual(['2:1: "loops" is written twice'])
})

test('merge keys are merged: what a map says itself wins, wherever it stands, and of several the first', () => {
  const { upstreams } = good(`
upstreams:
  one: &one { endpoints: ["http://one"], timeout: 1s, connect: 100ms }
  two: &two { endpoints: ["http://two"], timeout: 2s, maxBody: 1MiB }
  both: { timeout: 3s, <<: [*one, *two] }
routes: [ { match: GET /, forward: both } ]
`)
  expect(upstreams['both']).toMatchObject({
    endpoints: [{ origin: 'http://one', path: '' }],
    timeout: 3000,
    connect: 100,
    maxBody: 1024 ** 2,
  })
})

test('a fault in what aliases stand for is told once, where it is written', () => {
  const text = `
upstreams:
  one: &one { endpoints: ["http://one"], timeout: soon }
  two: *one
  three: { <<: *one, connect: 1s }
routes: [ { match: GET /, forward: one } ]
`
  expect(faults(text)).toEqual(['3:51: expected a duration such as 250ms, 2s, 5m'])
})

test('an alias without an anchor, one of itself, and a merge of no map are faults', () => {
  const text = `
upstreams: { a: *nobody, b: &b { endpoints: *b }, c: { <<: 5, endpoints: ["http://c"] } }
routes: [ { match: GET /, forward: c } ]
`
  expect(faults(text)).toEqual([
    '2:17: there is no anchor "nobody" before this',
    '2:45: there is no anchor "b" before this',
    '2:60: expected a map to merge, or a list of maps',
  ])
})

test('aliases of aliases without end are one fault', () => {
  const levels = Array.from({ length: 12 }, (_, level) => {
    const items =
      level === 0
        ? '1'
        : Array(10)
            .fill(`*l${level - 1}`)
            .join(', ')
    return `      l${level}: &l${level} [${items}]`
  })
  const text = `${ROUTES}
  - match: GET /x
    steps: { one: { call: GET shop /x } }
    response:
${levels.join('\n')}
`
  const told = faults(text)
  expect(told).toHaveLength(1)
  expect(told[0]).toContain('aliases stand for more than 100000 values')
})

test.each([
  [200, 'nested more than 100 deep'],
  [5000, 'nested too deep'],
  [100_000, 'YAML'],
])('a value nested %i deep is a fault', (depth, message) => {
  const [fault, ...others] = faults(`${ROUTES}
  - match: GET /x
    steps: { one: { call: GET shop /x } }
    response: ${'['.repeat(depth)}${']'.repeat(depth)}`)
  expect(fault).toContain(message)
  expect(others).toEqual([])
})

test('templates keep the order of their keys, also of those that look like numbers', () => {
  const config = good(`${ROUTES}
  - match: GET /x
    steps:
      one: { call: { method: POST, upstream: shop, path: /x, body: { b: 1, 2: x, 1: y } }, fallback: { 9: 1, 8: 2 } }
    response: { z: 1, 10: 2, 9: { 1.10: a, 1.1: b }, list: [ { 2: a, 1: b } ] }
`)
  const route = config.routes[1]
  expect(route?.steps?.['one']?.call.body).toEqual(
    new Map<string, unknown>([
      ['b', 1],
      ['2', 'x'],
      ['1', 'y'],
    ]),
  )
  const keys = (value: unknown): string[] => [...(value as Map<string, unknown>).keys()]
  expect(keys(route?.steps?.['one']?.fallback)).toEqual(['9', '8'])
  const { response } = route as { response: Map<string, unknown> }
  expect(keys(response)).toEqual(['z', '10', '9', 'list'])
  expect(keys(response.get('9'))).toEqual(['1.10', '1.1'])
  expect((response.get('list') as unknown[]).map(keys)).toEqual([['2', '1']])
})

test('__proto__ is a fault as a key, and changes no prototype', () => {
  const text = `__proto__: { polluted: 1 }${ROUTES}`
  expect(faults(text)).toEqual(['1:1: "__proto__" cannot be a key'])
  expect(({} as { polluted?: number }).polluted).toBeUndefined()
})

test('JSON is read as well', () => {
  const json = {
    $schema: './gateway.schema.json',
    upstreams: { a: { endpoints: ['http://a'] } },
    routes: [{ match: 'GET /', forward: 'a' }],
  }
  expect(good(JSON.stringify(json)).routes[0]?.name).toBe('GET /')
})

test.each([
  '',
  '# nothing\n',
  '5',
  '[]',
  'null',
  '- a',
  'a: b: c',
  '\u0000',
  '%',
  '---\n---\n',
  '!!x',
  '? {a: 1}\n: 2',
  '<<: *x',
])('%j is told as faults, not thrown', (text) => {
  const { config, faults: told } = read(text)
  expect(config).toBeUndefined()
  expect(told.length).toBeGreaterThan(0)
  expect(told.every(({ line, column }) => line >= 1 && column >= 1)).toBe(true)
})

test('whatever becomes of the text of a config, it is a config or has faults, and nothing is thrown', () => {
  const example = readFileSync('test/config/example.yaml', 'utf8')
  const splice = fc.record({
    at: fc.nat({ max: example.length }),
    cut: fc.nat({ max: 40 }),
    put: fc.oneof(
      fc.string({ maxLength: 5 }),
      fc.constantFrom('{', '}', ': ', '*a', '&a ', '${', '\n', '- ', '<<: ', '"', '~'),
    ),
  })
  fc.assert(
    fc.property(fc.array(splice, { minLength: 1, maxLength: 4 }), (splices) => {
      const text = splices.reduce((now, { at, cut, put }) => now.slice(0, at) + put + now.slice(at + cut), example)
      const { config, faults: told } = read(text)
      expect(config === undefined).toBe(told.length > 0)
      expect(told.every(({ line, column, message }) => line >= 1 && column >= 1 && message !== '')).toBe(true)
    }),
    { numRuns: 300 },
  )
})
