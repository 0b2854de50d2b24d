import { readFileSync } from 'node:fs'

import { expect, test } from 'vitest'

import { format } from '../../src/config/fault.ts'
import type { Declared, Meaning } from '../../src/config/load.ts'
import { faults, folder, good, read, ROUTES } from './reading.ts'

test('ten different faults in one file are told as ten, in their order', () => {
  const text = `listen: { port: 99999 }
ops: { host: "\${HOST}" }
defaults: { timout: 2s }
upstreams:
  shop: { endpoints: ["http://shop?x=1"], timeout: 5 }
  away: { connections: 3 }
routes:
  - match: GTE /a
    forward: shop
  - match: GET /b
    steps:
      one: { call: GET shop /b, decode: jsn, cache: 2 }
    response: { one: {one} }
`
  expect(faults(text)).toEqual([
    '1:17: expected a whole number from 0 to 65535',
    '2:14: the variable HOST is not set; ${HOST:-default} gives it a default',
    '3:13: unknown key "timout"; did you mean "timeout"?',
    '5:23: an endpoint has no query: write it in the path of the call',
    '5:52: expected a duration such as 250ms, 2s, 5m',
    '6:3: missing key "endpoints"',
    '8:12: expected GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS or ANY, not "GTE"; did you mean "GET"?',
    '12:41: expected json or text, not "jsn"; did you mean "json"?',
    '12:53: expected a duration such as 5m, http, off, or a map with ttl, stale, onError, heuristic, vary, tags',
    '13:22: write "{one}"',
  ])
})

test('meaning judges what is left without the faulty parts, and knows the names of those', () => {
  const text = `
upstreams:
  good: { endpoints: ["http://good"], timeout: soon }
  bad: { timeout: 1s }
routes:
  - match: GET /gone
  - match: GET /x
    steps:
      bad: { call: GET bad }
      each: { call: GET good /x, each: 5 }
      good: { call: GET good /x, optional: perhaps }
    response: { a: {b} }
`
  let config: Parameters<Meaning>[0] | undefined
  let declared: Declared | undefined
  const { faults: told, config: none } = read(text, {
    meaning: (...given) => {
      ;[config, declared] = given
      return [{ path: ['routes', 0, 'steps', 'good', 'call'], message: 'meant', severity: 'fault' }]
    },
  })
  expect(none).toBeUndefined()
  expect(Object.keys(config?.upstreams ?? {})).toEqual(['good'])
  expect(config?.upstreams['good']?.timeout).toBe(2000)
  expect(config?.routes).toHaveLength(1)
  expect(Object.keys(config?.routes[0]?.steps ?? {})).toEqual(['good'])
  expect(declared).toEqual({
    upstreams: new Set(['good', 'bad']),
    steps: [new Set(['bad', 'each', 'good'])],
    whole: true,
  })
  // The route that it calls the first is the second in the file: its faults are told there.
  expect(told.map(({ line, column, message }) => `${line}:${column}: ${message}`)).toEqual([
    '3:48: expected a duration such as 250ms, 2s, 5m',
    '4:3: missing key "endpoints"',
    '6:5: a route needs "steps" or "forward"',
    '9:20: expected METHOD upstream /path such as GET countries /countries/{params.code}',
    '10:40: expected a reference such as "{country.borders}"',
    '11:21: meant',
    '11:44: expected true or false',
    '12:20: write "{b}"',
  ])
})

test('a warning does not stop the config, and is told only of a whole one', () => {
  const meaning: Meaning = () => [{ path: ['upstreams', 'shop'], on: 'key', message: 'unused', severity: 'warning' }]
  const { config, warnings } = read(ROUTES, { meaning })
  expect(config).toBeDefined()
  expect(warnings).toMatchObject([{ line: 3, column: 3, message: 'unused' }])
  expect(read(`loops: x${ROUTES}`, { meaning }).warnings).toEqual([])
})

test('a path that is not written is told at what it is missing from', () => {
  const { locate } = read(ROUTES)
  expect(locate(['routes', 0, 'steps', 'x'], 'm')).toMatchObject({ line: 5, column: 5 })
  expect(locate(['upstreams', 'shop', 'timeout'], 'm')).toMatchObject({ line: 3, column: 3 })
  expect(locate(['routes', 0, 'forward'], 'm')).toMatchObject({ line: 6, column: 14 })
  expect(locate([], 'm')).toMatchObject({ line: 2, column: 1 })
  expect(format(read('a: [').locate(['x'], 'm'))).toBe('test.yaml:1:1: m')
})

test('the config goes to another thread as it is', () => {
  const config = good(`${ROUTES}\n  - { match: GET /x, steps: { a: { call: GET shop /x } }, response: { 2: a, 1: b } }`)
  expect(structuredClone(config)).toEqual(config)
})

test('schemas and transforms are relative to the file that names them', async () => {
  using files = folder({
    'gateway.yaml': `include: [teams/a.yaml]${ROUTES}`,
    'teams/a.yaml': `routes:
  - match: POST /x
    steps: { a: { call: POST shop /x } }
    schema: ./x.json
    transform: ../hooks/x.ts#shape`,
    'teams/x.json': '{ "type": "object" }',
    'hooks/x.ts': '',
  })
  const { config, files: named } = await files.load('gateway.yaml')
  expect(config?.routes[1]).toMatchObject({
    schema: { file: `${files.root}/teams/x.json`, content: { type: 'object' } },
    transform: { file: `${files.root}/hooks/x.ts`, name: 'shape', version: expect.stringMatching(/^[0-9a-f]{12}$/) },
  })
  expect(named).toEqual(['gateway.yaml', 'hooks/x.ts', 'teams/a.yaml', 'teams/x.json'])
})

test('a schema or transform that is not there, or is not one, is a fault', async () => {
  const route = (keys: string): string => `  - { match: GET /x, steps: { a: { call: GET shop /x } }, ${keys} }\n`
  using files = folder({
    'gateway.yaml': [
      ROUTES,
      route('schema: no.json'),
      route('schema: bad.json'),
      route('schema: 5'),
      route('transform: no.ts#x'),
      route('transform: x.ts'),
      route('transform: { file: x.ts }'),
    ].join(''),
    'bad.json': '{',
    'x.ts': '',
  })
  expect((await files.load('gateway.yaml')).faults.map((line) => line.replace(/^.*?:\d+:/, ''))).toEqual([
    '67: "no.json" cannot be read: no such file',
    '67: "bad.json" is not JSON',
    '67: expected a file such as ./order.schema.json',
    '70: "no.ts" cannot be read: no such file',
    '70: expected a file and the name of its function, such as ./hooks/profile.ts#shape',
    '70: expected a file and the name of its function, such as ./hooks/profile.ts#shape',
  ])
})

const EXAMPLE = 'test/config/example.yaml'

test('the example of the language is a config', () => {
  const text = readFileSync(EXAMPLE, 'utf8')
  const config = good(text, { env: { COUNTRIES_TOKEN: 't' } })
  expect(config.upstreams['countries']).toMatchObject({ timeout: 800, headers: { authorization: 'Bearer t' } })
  expect(config.upstreams['cities']?.timeout).toBe(2000)
  expect(config.routes.map(({ name }) => name)).toEqual(['country-profile', 'ANY /shop/*'])
})
