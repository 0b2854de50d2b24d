import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fields, loneRef, reader, valueAt } from '../../src/plan/read.ts'
import { TemplateFault } from '../../src/plan/reference.ts'
import { type Given, namesOf, stateOf } from './given.ts'

const read = (ref: string, given: Given = {}, asJson = true): unknown => {
  const names = namesOf(given, { item: 'item' in given ? 'reply' : null })
  return reader(loneRef(`{${ref}}`), names, asJson)(stateOf(given))
}

describe('a path into JSON', () => {
  const json: unknown = JSON.parse('{"a":{"b":[10,{"c":null}],"":1,"0":"zero"},"list":[],"text":"abc","length":7}')

  test('follows own keys of objects and places of arrays', () => {
    expect(valueAt(json, ['a', 'b', '0'])).toBe(10)
    expect(valueAt(json, ['a', 'b', '1', 'c'])).toBe(null)
    expect(valueAt(json, ['a', '0'])).toBe('zero')
    expect(valueAt(json, ['a', ''])).toBe(1)
    expect(valueAt(json, [])).toBe(json)
  })

  test('finds a key that is called length, but no length of an array or a text', () => {
    expect(valueAt(json, ['length'])).toBe(7)
    expect(valueAt(json, ['list', 'length'])).toBe(undefined)
    expect(valueAt(json, ['text', 'length'])).toBe(undefined)
  })

  test('finds nothing past the end, in text, in null, or beside the places of an array', () => {
    const paths = ['a.b.2', 'a.b.-1', 'a.b.00', 'a.b.1.c.d', 'text.0', 'nothing', 'nothing.more']
    expect(paths.filter((path) => valueAt(json, path.split('.')) !== undefined)).toEqual([])
  })

  test('finds nothing that JavaScript adds to objects and arrays', () => {
    const names = ['constructor', '__proto__', 'toString', 'hasOwnProperty', 'map', 'at']
    const paths = names.flatMap((name) => [[name], ['list', name], ['text', name]])
    expect(paths.filter((path) => valueAt(json, path) !== undefined)).toEqual([])
  })

  test('finds every value of any JSON where it lies', () => {
    const visit = (value: unknown): void => {
      expect(valueAt(value, [])).toBe(value)
      if (typeof value !== 'object' || value === null) return
      for (const [key, one] of Object.entries(value)) {
        expect(valueAt(value, [key])).toBe(one)
        visit(one)
      }
    }
    fc.assert(fc.property(fc.jsonValue(), (value) => visit(value)))
  })
})

describe('a reference', () => {
  test('reads the request: params, query, headers, cookies, body', () => {
    const given: Given = {
      params: { code: 'NO' },
      query: 'lang=en&lang=fr&x=%C3%BC+y',
      headers: { 'x-key': 'secret' },
      cookies: { Session: 's1' },
      body: '{"a":{"b":[1,2]}}',
    }
    expect(read('params.code', given)).toBe('NO')
    expect(read('query.lang', given)).toBe('en')
    expect(read('query.x', given)).toBe('ü y')
    expect(read('headers.X-Key', given)).toBe('secret')
    expect(read('cookies.Session', given)).toBe('s1')
    expect(read('cookies.session', given)).toBe(undefined)
    expect(read('body.a.b.1', given)).toBe(2)
    expect(read('body', given)).toEqual({ a: { b: [1, 2] } })
    expect(read('query', given)).toEqual({ lang: 'en', x: 'ü y' })
  })

  test("reads a reply's JSON, its status and its header fields", () => {
    const given: Given = { replies: { a: '{"b":1}' }, status: 203, fields: { etag: '"1"', vary: ['a', 'b'] } }
    expect(read('a.b', given)).toBe(1)
    expect(read('a', given)).toEqual({ b: 1 })
    expect(read('a@status', given)).toBe(203)
    expect(read('a@headers.ETag', given)).toBe('"1"')
    expect(read('a@headers.vary', given)).toBe('a, b')
    expect(read('a@headers.age', given)).toBe(undefined)
    expect(read('a@headers.constructor', given)).toBe(undefined)
  })

  test('reads nothing from a step that has failed', () => {
    const given: Given = { replies: { a: null } }
    const refs = ['a', 'a.b', 'a@status', 'a@headers.etag']
    expect(refs.filter((ref) => read(ref, given) !== undefined)).toEqual([])
  })

  test('reads item and index within an each', () => {
    const given: Given = { item: { code: 'SE' }, index: 3 }
    expect(read('item.code', given)).toBe('SE')
    expect(read('item', given)).toEqual({ code: 'SE' })
    expect(read('index', given)).toBe(3)
  })

  test('has its default where there is no value or null, and only there', () => {
    const given: Given = { replies: { a: '{"zero":0,"no":false,"empty":"","nothing":null}' } }
    expect(read('a.nothing|1', given)).toBe(1)
    expect(read('a.absent|1', given)).toBe(1)
    expect(read('a.zero|1', given)).toBe(0)
    expect(read('a.no|1', given)).toBe(false)
    expect(read('a.empty|1', given)).toBe('')
  })

  test('has a default that is a JSON literal where JSON stands, and text elsewhere', () => {
    expect(read('query.x|10')).toBe(10)
    expect(read('query.x|{"a":[]}')).toEqual({ a: [] })
    expect(read('query.x|"en"')).toBe('en')
    expect(read('query.x|en')).toBe('en')
    expect(read('query.x|')).toBe('')
    expect(read('query.x|null')).toBe(null)
    expect(read('query.x|10', {}, false)).toBe('10')
    expect(read('query.x|"en"', {}, false)).toBe('"en"')
  })

  test.each([
    ['contry.name', 'no step "contry"; did you mean "country"?'],
    ['querry.x', 'no step "querry"; did you mean "query"?'],
    ['params.cod', 'the path has no parameter "cod"; did you mean "code"?'],
    ['params', '{params} must name one field of params'],
    ['params.code.x', '{params.code.x} must name one field of params'],
    ['headers', '{headers} must name one field of headers'],
    ['cookies.a.b', '{cookies.a.b} must name one field of cookies'],
    ['query.a.b', '{query.a.b} must name one field of query'],
    ['item.x', '{item.x} means something only within an each'],
    ['index', '{index} means something only within an each'],
    ['country@headers', '{country@headers} must name one header field'],
    ['country@headers.a.b', '{country@headers.a.b} must name one header field'],
    ['country@status.x', '{country@status.x}'],
    ['query@status', '@status is of a step\'s reply, and "query" is not a step'],
    ['auth.sub', 'auth is not yet supported'],
  ])('to what does not exist, %s, is refused with its name', (ref, message) => {
    const names = namesOf({ replies: { country: '{}' }, params: { code: '' } })
    expect(() => reader(loneRef(ref), names, true)).toThrow(TemplateFault)
    expect(() => reader(loneRef(ref), names, true)).toThrow(message)
  })
})

test('a repeated query field counts with its first value', () => {
  expect([...fields('a=1&b=2&a=3&c')]).toEqual([
    ['a', '1'],
    ['b', '2'],
    ['c', ''],
  ])
})
