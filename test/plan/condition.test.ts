import { describe, expect, test } from 'vitest'
import { type Condition, compileRuns } from '../../src/plan/condition.ts'
import { TemplateFault } from '../../src/plan/reference.ts'
import { type Given, namesOf, stateOf } from './given.ts'

const runs = (when: Condition | undefined, given: Given, unless?: Condition): boolean =>
  compileRuns(when, unless, namesOf(given))(stateOf(given))

test('a step without conditions runs', () => {
  expect(runs(undefined, {})).toBe(true)
})

describe('values of the client', () => {
  test('compare as text', () => {
    const queries = ['', 'w=', 'w=0', 'w=1', 'w=1.0', 'w=true', 'w=TRUE']
    expect(queries.filter((query) => runs({ 'query.w': [1, true] }, { query }))).toEqual(['w=1', 'w=true'])
    expect(runs({ 'query.w': '1' }, { query: 'w=1' })).toBe(true)
    expect(runs({ '{headers.x-mode}': 'fast' }, { headers: { 'x-mode': 'fast' } })).toBe(true)
    expect(runs({ 'cookies.c': 'a' }, { cookies: { c: 'a' } })).toBe(true)
    expect(runs({ 'params.p': ['a', 'b'] }, { params: { p: 'b' } })).toBe(true)
  })

  test('of its body compare as text too, but an object is no text', () => {
    expect(runs({ 'body.n': '1' }, { body: '{"n":1}' })).toBe(true)
    expect(runs({ 'body.n': 1 }, { body: '{"n":"1"}' })).toBe(true)
    expect(runs({ 'body.n': true }, { body: '{"n":true}' })).toBe(true)
    expect(runs({ 'body.n': '' }, { body: '{"n":[]}' })).toBe(false)
    expect(runs({ 'body.n': '[object Object]' }, { body: '{"n":{}}' })).toBe(false)
  })

  test('that are absent are null, and nothing else', () => {
    expect(runs({ 'query.w': null }, {})).toBe(true)
    expect(runs({ 'query.w': 'null' }, {})).toBe(false)
    expect(runs({ 'query.w': null }, { query: 'w=null' })).toBe(false)
    expect(runs({ 'query.w': '' }, {})).toBe(false)
    expect(runs({ 'query.w': ['a', null] }, {})).toBe(true)
  })

  test('may have a default', () => {
    expect(runs({ '{query.w|1}': '1' }, {})).toBe(true)
    expect(runs({ 'query.w|1': 1 }, { query: 'w=2' })).toBe(false)
  })
})

describe('values of a reply', () => {
  const given: Given = { replies: { a: '{"n":1,"b":false,"t":"1","nil":null,"o":{}}', gone: null }, status: 201 }

  test('compare as the JSON that they are', () => {
    expect(runs({ 'a.n': 1 }, given)).toBe(true)
    expect(runs({ 'a.n': '1' }, given)).toBe(false)
    expect(runs({ 'a.t': 1 }, given)).toBe(false)
    expect(runs({ 'a.b': [true, false] }, given)).toBe(true)
    expect(runs({ 'a.b': 'false' }, given)).toBe(false)
    expect(runs({ 'a@status': [200, 201] }, given)).toBe(true)
  })

  test('that are null or absent are null', () => {
    const refs = ['a.nil', 'a.nothing', 'gone', 'gone.x', 'a.b', 'a.o']
    expect(refs.filter((ref) => runs({ [ref]: null }, given))).toEqual(refs.slice(0, 4))
    expect(refs.filter((ref) => runs({ [ref]: false }, given))).toEqual(['a.b'])
  })
})

describe('one reference', () => {
  test('must be present and true', () => {
    const given: Given = { replies: { a: '{"yes":true,"no":false,"n":1,"zero":0,"o":{},"nil":null}', gone: null } }
    const holding = ['a.yes', '{a.n}', 'a.o', 'a']
    const others = ['a.no', 'a.zero', 'a.nil', 'a.nothing', 'gone', '{gone.x}']
    expect([...holding, ...others].filter((ref) => runs(ref, given))).toEqual(holding)
  })

  test('of a client is false where it says so: absent, empty, 0, false', () => {
    const queries = ['', 'w', 'w=', 'w=0', 'w=false', 'w=1', 'w=true', 'w=x']
    expect(queries.filter((query) => runs('query.w', { query }))).toEqual(['w=1', 'w=true', 'w=x'])
  })
})

test('all conditions of a map must hold', () => {
  const when = { 'query.a': '1', 'query.b': '2' }
  expect(runs(when, { query: 'a=1&b=2' })).toBe(true)
  expect(runs(when, { query: 'a=1' })).toBe(false)
  expect(runs(when, { query: 'b=2' })).toBe(false)
  expect(runs({}, {})).toBe(true)
})

test('unless keeps a step from running exactly when what it says holds, whatever `when` says', () => {
  expect(runs(undefined, { query: 'x=1' }, { 'query.x': '1' })).toBe(false)
  expect(runs(undefined, { query: 'x=2' }, { 'query.x': '1' })).toBe(true)
  expect(runs('query.a', { query: 'a=1&x=1' }, 'query.x')).toBe(false)
  expect(runs('query.a', { query: 'a=1' }, 'query.x')).toBe(true)
  expect(runs('query.a', {}, 'query.x')).toBe(false)
  expect(runs(undefined, { query: 'a=1' }, { 'query.a': '1', 'query.b': '1' })).toBe(true)
})

test.each([
  ['x{query.a}', '"x{query.a}" must be one reference'],
  [{ 'contry.a': 1 }, 'no step "contry"'],
  [{ 'item.a': 1 }, '{item.a} means something only within an each'],
])('a faulty condition is refused: %j', (condition, message) => {
  const names = namesOf({ replies: { country: '{}' } })
  expect(() => compileRuns(condition, undefined, names)).toThrow(TemplateFault)
  expect(() => compileRuns(undefined, condition, names)).toThrow(message)
})
