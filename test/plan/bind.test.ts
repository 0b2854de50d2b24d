import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Call } from '../../src/call/call.ts'
import type { Failure } from '../../src/call/failure.ts'
import { noAccounts } from '../../src/call/work.ts'
import { type CallSpec, compileBind, sameCall } from '../../src/plan/bind.ts'
import { compileTarget } from '../../src/plan/target.ts'
import type { Template } from '../../src/plan/plan.ts'
import { TemplateFault } from '../../src/plan/reference.ts'
import { type Given, namesOf, stateOf, template } from './given.ts'

const target = (spec: string | Pick<CallSpec, 'path' | 'query'>, given: Given = {}): string | Failure => {
  const names = namesOf(given, { item: 'item' in given ? 'reply' : null })
  return compileTarget(typeof spec === 'string' ? { path: spec } : spec, names)(stateOf(given))
}

const terms = { accept: () => true, step: 's', accounts: noAccounts, keep: null }

const bind = (spec: Partial<CallSpec>, given: Given = {}, decode: 'json' | 'text' = 'json'): Call | Failure => {
  const names = namesOf(given)
  return compileBind({ upstream: 'u', method: 'GET', path: '/', ...spec }, names, { ...terms, decode })(stateOf(given))
}

const headersOf = (made: Call | Failure): Record<string, string> => {
  const { headers } = made as Call
  const entries = headers.flatMap((name, i) => (i % 2 === 0 ? [[name, headers[i + 1] as string] as const] : []))
  expect(new Set(entries.map(([name]) => name)).size, 'no field stands twice').toBe(entries.length)
  return Object.fromEntries(entries)
}

const bodyOf = (body: Template, given: Given = {}): unknown => {
  const made = bind({ method: 'POST', body }, given)
  if ('ok' in made) return made
  return made.body === null ? null : Buffer.from(made.body as Uint8Array).toString()
}

const cannot = (ref: string, from: 'client' | 'reply' = 'client') => ({
  ok: false,
  error: 'bind_missing',
  detail: `{${ref}} cannot be bound`,
  from,
  ref,
})

describe('the path of a call', () => {
  test('has each value percent-encoded as one component (C21)', () => {
    expect(target('/a/{params.x}/b', { params: { x: 'ü ?#/%&=+' } })).toBe('/a/%C3%BC%20%3F%23%2F%25%26%3D%2B/b')
    expect(target('/{params.x}.{params.y}', { params: { x: 'a/b', y: '..' } })).toBe('/a%2Fb...')
  })

  test('gives back any value to whoever decodes its segment', () => {
    const values = fc.string({ unit: 'grapheme', minLength: 1 })
    fc.assert(
      fc.property(values, (x) => {
        fc.pre(!/^\.{1,2}$|[\r\n\0]/.test(x))
        const made = target('/a/{params.x}/b', { params: { x } }) as string
        const [, a, segment = '', b, ...more] = made.split('/')
        expect([a, decodeURIComponent(segment), b, ...more]).toEqual(['a', x, 'b'])
        expect(made).toMatch(/^[\x21-\x7e]+$/)
      }),
    )
  })

  test('takes numbers and booleans', () => {
    const given: Given = { replies: { a: '{"n":1.5,"b":false,"big":1e21}' } }
    expect(target('/{a.n}/{a.b}/{a.big}', given)).toBe('/1.5/false/1e%2B21')
    expect(target('/{item}/{index}', { item: 7, index: 2 })).toBe('/7/2')
  })

  test('refuses a value that would make a whole segment empty, "." or "..", wherever it came from', () => {
    for (const x of ['', '.', '..']) {
      expect(target('/a/{params.x}/b', { params: { x } })).toEqual(cannot('params.x'))
      expect(target('/a/{a.x}', { replies: { a: JSON.stringify({ x }) } })).toEqual(cannot('a.x', 'reply'))
    }
    expect(target('/{params.x}{params.y}', { params: { x: '.', y: '.' } })).toEqual(cannot('params.x'))
    expect(target('/.{params.x}/b', { params: { x: '.' } })).toEqual(cannot('params.x'))
    expect(target('/.{params.x}/b', { params: { x: '' } })).toEqual(cannot('params.x'))
    expect(target('/{query.x|}/b')).toEqual(cannot('query.x|'))
    expect(target('/{params.x}/', { params: { x: '...' } })).toBe('/.../')
    expect(target('/x{params.x}', { params: { x: '' } })).toBe('/x')
  })

  test('refuses what is absent, null, an object or a list', () => {
    const given: Given = { replies: { a: '{"nil":null,"o":{},"l":[1]}', gone: null } }
    for (const ref of ['a.nil', 'a.o', 'a.l', 'a.nothing', 'gone', 'gone.x', 'gone@status']) {
      expect(target(`/x/{${ref}}`, given)).toEqual(cannot(ref, 'reply'))
    }
    expect(target('/x/{query.a}')).toEqual(cannot('query.a'))
    expect(target('/x/{query.a?}')).toEqual(cannot('query.a?'))
  })

  test('takes a default where there is no value', () => {
    expect(target('/x/{query.a|all/y}')).toBe('/x/all%2Fy')
  })

  test('refuses lone surrogates, CR, LF and NUL, which have no place in a URL (C21)', () => {
    for (const bad of ['\\ud800', 'a\\udc00b', 'a\\rb', 'a\\nb', '\\u0000']) {
      const given: Given = { replies: { a: `{"x":"${bad}"}` } }
      expect(target('/{a.x}', given)).toEqual(cannot('a.x', 'reply'))
      expect(target('/?x={a.x}', given)).toEqual(cannot('a.x', 'reply'))
    }
  })

  test('takes what * matched as it came, with its slashes and its encoding', () => {
    expect(target('/files/{params.*}', { params: { '*': 'a/b%20c/%C3%BC' } })).toBe('/files/a/b%20c/%C3%BC')
    expect(target('/files/{params.*}', { params: { '*': '' } })).toBe('/files/')
    expect(target('/{params.*}/raw', { params: { '*': 'a/b' } })).toBe('/a/b/raw')
  })

  test('has its own text in the form that a URL needs, with the escapes that are there already', () => {
    expect(target('/søk/a b/%2F/{{x}}#1')).toBe('/s%C3%B8k/a%20b/%2F/%7Bx%7D%231')
    expect(target('/søk-{params.x} y', { params: { x: 'é' } })).toBe('/s%C3%B8k-%C3%A9%20y')
    expect(target('/')).toBe('/')
    expect(target('/a//b/')).toBe('/a//b/')
  })
})

describe('the query of a call', () => {
  test('has each value percent-encoded as one component, from a map and in the path (C21)', () => {
    const given: Given = { query: 'x=a%26b%3D%20%C3%BC' }
    expect(target({ path: '/p', query: { q: '{query.x}', 'n n': 'v' } }, given)).toBe('/p?q=a%26b%3D%20%C3%BC&n%20n=v')
    expect(target('/p?q={query.x}&r=1', given)).toBe('/p?q=a%26b%3D%20%C3%BC&r=1')
    expect(target('/p?q=a{query.x}z', given)).toBe('/p?q=aa%26b%3D%20%C3%BCz')
  })

  test('gives back any value to whoever reads its fields', () => {
    const values = fc.string({ unit: 'grapheme' })
    fc.assert(
      fc.property(values, values, (a, b) => {
        fc.pre(!/[\r\n\0]/.test(a + b))
        const given: Given = { replies: { s: JSON.stringify({ a, b }) } }
        const made = target({ path: '/p?a={s.a}', query: { b: '{s.b}' } }, given) as string
        expect([...new URL(made, 'http://x').searchParams]).toEqual([
          ['a', a],
          ['b', b],
        ])
      }),
    )
  })

  test('has the text that an operator wrote as the value that it is', () => {
    const query = { sort: 'name asc&x', n: 5, yes: true, 'a%b': '100%', t: 'ü', l: '{{}}' }
    const made = target({ path: '/p', query })
    expect([...new URL(made as string, 'http://x').searchParams]).toEqual([
      ['sort', 'name asc&x'],
      ['n', '5'],
      ['yes', 'true'],
      ['a%b', '100%'],
      ['t', 'ü'],
      ['l', '{}'],
    ])
  })

  test('in the path is taken as a URL: what is escaped stays so, what needs to be is', () => {
    expect(target('/p?q=a%20b+c&r=ü x&s=100%25&t')).toBe('/p?q=a%20b+c&r=%C3%BC%20x&s=100%25&t')
  })

  test('in the path may have broken escapes, which are sent as the percent signs that they are', () => {
    expect(target('/p?a%zz=1&%')).toBe('/p?a%25zz=1&%25')
  })

  test('leaves a field with ? out where it has no value, and takes a default', () => {
    const spec = { path: '/p', query: { a: '{query.a?}', b: '{query.b|x}', c: 'c{query.c?}' } }
    expect(target(spec)).toBe('/p?b=x')
    expect(target(spec, { query: 'a=1&b=2&c=3' })).toBe('/p?a=1&b=2&c=c3')
    expect(target('/p?a={query.a?}')).toBe('/p')
    expect(target('/p?a={query.a?}', { query: 'a=' })).toBe('/p?a=')
  })

  test('without a value for a field that needs one cannot be made', () => {
    expect(target('/p?a={query.a}')).toEqual(cannot('query.a'))
    expect(target({ path: '/p', query: { a: '{body.o}' } }, { body: '{"o":{}}' })).toEqual(cannot('body.o'))
  })

  test('is the whole of the client’s as "{query}", as it came', () => {
    const spec = { path: '/p', query: '{query}' }
    expect(target(spec, { query: 'b=%2f&a=1&a=2&c' })).toBe('/p?b=%2f&a=1&a=2&c')
    expect(target(spec)).toBe('/p')
    expect(target({ path: '/p?k=v', query: '{query}' }, { query: 'a=1' })).toBe('/p?k=v&a=1')
    expect(target({ path: '/p?k={query.k?}', query: '{query}' }, { query: 'a=1' })).toBe('/p?a=1')
  })

  test.each([
    [{ path: '/p', query: '{query.a}' }, '"{query}"'],
    [{ path: '/p', query: 'a=1' }, '"{query}"'],
    [{ path: '/p?{query}' }, 'name of a query field'],
    [{ path: '/p?{query.k}=1' }, 'name of a query field'],
    [{ path: '/p', query: { '{query.k}': '1' } }, 'name of a query field'],
  ])('that would never be what its author meant is a fault: %j', (spec, message) => {
    expect(() => target(spec)).toThrow(TemplateFault)
    expect(() => target(spec)).toThrow(message)
  })
})

describe('the header of a call', () => {
  test('has the standard fields, and no field of the client’s', () => {
    const made = bind({}, { headers: { cookie: 'a=1', authorization: 'secret' } })
    expect(headersOf(made)).toEqual({
      accept: 'application/json',
      'accept-encoding': 'identity',
      'user-agent': 'oneloop',
      via: '1.1 oneloop',
      traceparent: expect.stringMatching(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-00$/),
      'x-request-id': 'a-request',
    })
    expect(headersOf(bind({}, {}, 'text'))).toMatchObject({ accept: '*/*' })
    expect(headersOf(bind({ method: 'POST', body: '{body}' }, { body: '1' }))).toMatchObject({
      'content-type': 'application/json',
    })
  })

  test('has what is configured, by name in lower case and in place of a standard field', () => {
    const headers = { 'X-Key': 'k-{headers.x-key}', Accept: 'text/csv', 'x-fixed': '{{1}}', 'x-request-id': 'mine' }
    expect(headersOf(bind({ headers }, { headers: { 'x-key': 'é' } }))).toMatchObject({
      'x-key': 'k-é',
      accept: 'text/csv',
      'x-fixed': '{1}',
      'x-request-id': 'mine',
    })
  })

  test('leaves a field with ? out where it has no value', () => {
    expect(headersOf(bind({ headers: { 'x-a': 'v {headers.a?}' } }))).not.toHaveProperty('x-a')
    expect(headersOf(bind({ headers: { 'x-a': '{headers.a|none}' } }))).toMatchObject({ 'x-a': 'none' })
  })

  test('refuses a value with CR, LF or NUL, or that no header can hold (C21)', () => {
    for (const bad of ['a\\r\\nb: c', '\\n', '\\u0000', '\\u0007', '\\u2603', '\\ud800']) {
      const made = bind({ headers: { 'x-a': '{a.x}' } }, { replies: { a: `{"x":"${bad}"}` } })
      expect(made).toEqual(cannot('a.x', 'reply'))
    }
    expect(bind({ headers: { 'x-a': '{headers.a}' } })).toEqual(cannot('headers.a'))
  })
})

describe('the body of a call', () => {
  test('is the client’s JSON as it came, as "{body}"', () => {
    const body = ' {"n":12345678901234567890, "a" :1}\n'
    expect(bodyOf('{body}', { body })).toBe(body)
    expect(bodyOf('{body}', { body: 'null' })).toBe('null')
    expect(bodyOf('{body}')).toEqual(cannot('body'))
  })

  test('is a part of the client’s JSON, or a reply as it came', () => {
    expect(bodyOf('{body.order}', { body: '{"order":{"b":1,"a":[]}}' })).toBe('{"b":1,"a":[]}')
    expect(bodyOf('{body.order}', { body: '{"order":null}' })).toBe('null')
    expect(bodyOf('{a}', { replies: { a: '{ "x": 1.0 }' } })).toBe('{ "x": 1.0 }')
  })

  test('that is one reference without a value cannot be made', () => {
    expect(bodyOf('{body.order}', { body: '{}' })).toEqual(cannot('body.order'))
    expect(bodyOf('{a}', { replies: { a: null } })).toEqual(cannot('a', 'reply'))
  })

  test('takes a default, as JSON, where the client sends none', () => {
    expect(bodyOf('{body|{"a":[]}}')).toBe('{"a":[]}')
    expect(bodyOf('{body|none}')).toBe('"none"')
    expect(bodyOf('{body.order|[]}', { body: '{}' })).toBe('[]')
  })

  test('is none at all with ? where the client sends none', () => {
    expect(bodyOf('{body?}')).toBe(null)
    expect(bodyOf('{body.order?}', { body: '{}' })).toBe(null)
    expect(headersOf(bind({ method: 'POST', body: '{body?}' }))).not.toHaveProperty('content-type')
    expect(headersOf(bind({ method: 'POST', body: '{body?}' }, { body: '1' }))).toHaveProperty('content-type')
  })

  test('leaves out the keys whose value is absent, and is in UTF-8', () => {
    const made = template({ a: '{body.a}', b: '{body.b}', c: 'ü {query.x}', all: '{body}' })
    expect(bodyOf(made, { body: '{"a":"é"}', query: 'x=☃' })).toBe('{"a":"é","c":"ü ☃","all":{"a":"é"}}')
  })
})

describe('two calls', () => {
  test('are the same when they have the same target and the same fields, whatever their trace (F7)', () => {
    const spec = { path: '/a/{params.x}', headers: { 'x-a': '{params.x}' } }
    const one = bind(spec, { params: { x: '1' } }) as Call
    const again = bind(spec, { params: { x: '1' } }) as Call
    expect(one.headers).not.toEqual(again.headers)
    expect(sameCall(one, again)).toBe(true)
  })

  test('are not the same when a path, a query or a field differs (F7)', () => {
    const made = [
      bind({ path: '/a' }),
      bind({ path: '/b' }),
      bind({ path: '/a?x=1' }),
      bind({ path: '/a', headers: { 'x-a': '1' } }),
      bind({ path: '/a', headers: { 'x-a': '2' } }),
      bind({ path: '/a', headers: { 'x-request-id': '2' } }),
      bind({ path: '/a' }, {}, 'text'),
    ] as Call[]
    for (const one of made) for (const other of made) expect(sameCall(one, other)).toBe(one === other)
  })
})
