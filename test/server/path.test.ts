import fc from 'fast-check'
import { expect, test } from 'vitest'
import { normalPath } from '../../src/server/path.ts'
import { ask, connect, request } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { json, startOrigin } from '../support/origin.ts'
import { expectProblem } from '../support/problem.ts'

const alike = [
  ['/', '/'],
  ['/a/b', '/a/b'],
  ['/a/b/', '/a/b/'],
  ['/%41%7e%2D', '/A~-'],
  ['/caf%c3%a9', '/caf%C3%A9'],
  ['/a%20b', '/a%20b'],
  ['/a%2520b', '/a%2520b'],
  ['/%252e%252e/a', '/%252e%252e/a'],
  ['/a.b/..c/d..', '/a.b/..c/d..'],
  ['/...', '/...'],
  ['/a;b=c', '/a;b=c'],
  ['/a|b"c<d>e^f`g{h}', '/a%7Cb%22c%3Cd%3Ee%5Ef%60g%7Bh%7D'],
] as const

const refused = [
  ['a/b', 'no slash at the beginning'],
  ['', 'nothing at all'],
  ['/a/../b', 'a segment ..'],
  ['/a/..', '.. at the end'],
  ['/./a', 'a segment .'],
  ['/a/%2e%2e/b', '.. that is encoded'],
  ['/a/.%2E/b', '.. half of which is encoded'],
  ['/%2e', '. that is encoded'],
  ['//a', 'an empty segment in front'],
  ['/a//b', 'an empty segment'],
  ['/a//', 'an empty segment at the end'],
  ['/a%2fb', 'an encoded slash'],
  ['/a%2Fb', 'an encoded slash in upper case'],
  ['/a%5cb', 'an encoded backslash'],
  ['/a\\b', 'a backslash'],
  ['/a%00', 'an encoded NUL'],
  ['/a%zz', 'an escape that is none'],
  ['/a%4', 'an escape that is cut short'],
  ['/%', 'a lone %'],
  ['/%c0%ae%c0%ae/a', 'an overlong . in UTF-8'],
  ['/%c0%af', 'an overlong / in UTF-8'],
  ['/%e0%80%af', 'a longer overlong /'],
  ['/%ff', 'a byte that is never UTF-8'],
  ['/%ed%a0%80', 'a surrogate in UTF-8'],
  ['/caf\u00e9', 'a byte beyond ASCII'],
  ['/a b', 'a space'],
  ['/a\tb', 'a tab'],
  ['/a#b', 'a fragment'],
] as const

test.each(alike)('C14: %s is brought into the form %s', (path, normal) => {
  expect(normalPath(path)).toBe(normal)
})

test.each(refused)('C14: %s is refused: %s', (path) => {
  expect(normalPath(path)).toBeNull()
})

// What paths are attacked with, and what stands between it.
const parts = [
  '/',
  '//',
  '.',
  '..',
  '%2e',
  '%2E',
  '%2f',
  '%5C',
  '\\',
  '%00',
  '%',
  '%z1',
  '%25',
  '%252e',
  '%c0',
  '%ae',
  '%c3%a9',
  '%41',
  'a',
  ';',
  '*',
  ':',
  '"',
  '|',
  '#',
  ' ',
]
const nastyPath = fc.array(fc.constantFrom(...parts), { maxLength: 12 }).map((all) => `/${all.join('')}`)

test('C14: whatever the path, its normal form is stable, means the same, and hides nothing', () => {
  fc.assert(
    fc.property(nastyPath, (path) => {
      const normal = normalPath(path)
      if (normal === null) return
      expect(normalPath(normal)).toBe(normal)
      expect(decodeURIComponent(normal)).toBe(decodeURIComponent(path))
      expect(normal).not.toMatch(/%(?![0-9A-F]{2})|%(?:2F|5C|00)|[\\#\s]/)
      const segments = normal.slice(1).split('/')
      // A slash at the end leaves an empty one, which is the only one there may be.
      if (segments.length > 1 && segments.at(-1) === '') segments.pop()
      for (const segment of normal === '/' ? [] : segments)
        expect(['', '.', '..']).not.toContain(decodeURIComponent(segment))
    }),
    { numRuns: 3_000 },
  )
})

test('C14: a path whose segments are any text but the forbidden, encoded as one should, is served', () => {
  const segment = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 8 })
    .filter((text) => !/[/\\\0]/.test(text) && text !== '.' && text !== '..')
  fc.assert(
    fc.property(fc.array(segment, { minLength: 1, maxLength: 4 }), (segments) => {
      const normal = normalPath(`/${segments.map(encodeURIComponent).join('/')}`)
      expect(normal?.slice(1).split('/').map(decodeURIComponent)).toEqual(segments)
    }),
  )
})

test('C14: a long path with one escape is looked at once, not 2^n times', () => {
  const began = performance.now()
  expect(normalPath(`/${'a'.repeat(30)}%41`)).toBe(`/${'a'.repeat(30)}A`)
  // The mistake this stands against takes 20 s for 30 letters.
  expect(performance.now() - began).toBeLessThan(1_000)
})

const routes = (url: string): string => `
upstreams: { shop: { endpoints: ["${url}"] }, based: { endpoints: ["${url}/base/path"] } }
routes:
  - match: GET /step/:name/end
    steps: { a: { call: "GET shop /got/{params.name}" } }
  - match: GET /query
    steps: { a: { call: { upstream: shop, path: /q, query: { q: "{query.q}" } } } }
  - match: ANY /shop/*
    forward: shop /kept/{params.*}
  - match: ANY /based/*
    forward: based /{params.*}
  - match: ANY /*
    forward: shop
`

test('C14: what is matched is what is sent: a forward route sends the path in its normal form', async () => {
  await using origin = await startOrigin((_, socket) => void socket.write(json({})))
  await using gateway = await startGateway(routes(origin.url))
  await using client = await connect(gateway.port)
  const sent = [
    ['/shop/a/b', '/kept/a/b'],
    ['/%73hop/%61', '/kept/a'],
    ['/shop/a%20b/caf%c3%a9', '/kept/a%20b/caf%C3%A9'],
    ['/shop/%252e%252e/a%252fb', '/kept/%252e%252e/a%252fb'],
    ['/shop/a/', '/kept/a/'],
    ['/shop/', '/kept/'],
    ['/shop', '/kept/'],
    ['/shop/a|b', '/kept/a%7Cb'],
    ['/based/x/y', '/base/path/x/y'],
    ['/based', '/base/path/'],
    ['/any%7Ething', '/any~thing'],
    ['/', '/'],
  ] as const
  for (const [target, arrived] of sent) {
    client.send(request('GET', target))
    expect((await client.response()).status).toBe(200)
    expect(origin.requests.at(-1)?.target).toBe(arrived)
  }
})

test('C14: a path that two programs could read differently is answered 400 and never sent', async () => {
  await using origin = await startOrigin((_, socket) => void socket.write(json({})))
  await using gateway = await startGateway(routes(origin.url))
  const nasty = [
    '/shop/../admin',
    '/shop/%2e%2e/admin',
    '/shop/.%2e/admin',
    '//admin',
    '/shop//admin',
    '/shop/..%2fadmin',
    '/shop/..%5cadmin',
    '/shop/..\\admin',
    '/shop/a%00',
    '/shop/%zz',
    '/shop/%c0%ae%c0%ae/admin',
    '/shop/a#b',
    '/shop/\xe9',
    '/./shop',
  ]
  for (const target of nasty) {
    const response = await ask(gateway.port, request('GET', target))
    expectProblem(response, 400)
    expect(response.headers['connection']).toBe('close')
  }
  expect(origin.requests).toEqual([])
})

test('a parameter is decoded once, and encoded again as one segment of the call', async () => {
  await using origin = await startOrigin((_, socket) => void socket.write(json({})))
  await using gateway = await startGateway(routes(origin.url))
  await using client = await connect(gateway.port)
  const sent = [
    ['a%20b', 'a%20b'],
    ['caf%C3%A9', 'caf%C3%A9'],
    ['a%252Fb', 'a%252Fb'],
    ['%252e%252e', '%252e%252e'],
    ['a+b', 'a%2Bb'],
    ['a%3Fb%23c', 'a%3Fb%23c'],
    ['a&b=c', 'a%26b%3Dc'],
    ['%7Bitem%7D', '%7Bitem%7D'],
  ] as const
  for (const [segment, arrived] of sent) {
    client.send(request('GET', `/step/${segment}/end`))
    expect((await client.response()).status).toBe(200)
    expect(origin.requests.at(-1)?.target).toBe(`/got/${arrived}`)
  }
})

test('a query field is decoded and encoded again; of a repeated one the first value counts', async () => {
  await using origin = await startOrigin((_, socket) => void socket.write(json({})))
  await using gateway = await startGateway(routes(origin.url))
  await using client = await connect(gateway.port)
  const sent = [
    ['q=a+b', 'q=a%20b'],
    ['q=1&q=2', 'q=1'],
    ['x=1&q=%26admin%3D1', 'q=%26admin%3D1'],
    ['q=%e2%82%ac', 'q=%E2%82%AC'],
    ['q=', 'q='],
  ] as const
  for (const [query, arrived] of sent) {
    client.send(request('GET', `/query?${query}`))
    expect((await client.response()).status).toBe(200)
    expect(origin.requests.at(-1)?.target).toBe(`/q?${arrived}`)
  }
})

test('C14: a query with a space, a raw byte or a fragment is answered 400; what is odd but sound is sent as it came', async () => {
  await using origin = await startOrigin((_, socket) => void socket.write(json({})))
  await using gateway = await startGateway(routes(origin.url))
  for (const query of ['a=\xe9', 'a=b#c', '#', 'a=\x7f']) {
    expectProblem(await ask(gateway.port, request('GET', `/shop/a?${query}`)), 400)
  }
  expect(origin.requests).toEqual([])
  for (const query of ['?', 'a=1&a=2', 'a=%zz&b=%00', 'q=../..', "a='|<>{}[]^`\\", '', '&&=']) {
    expect((await ask(gateway.port, request('GET', `/shop/a?${query}`))).status).toBe(200)
    // A "?" with nothing behind it says nothing.
    expect(origin.requests.at(-1)?.target).toBe(query === '' ? '/kept/a' : `/kept/a?${query}`)
  }
})
