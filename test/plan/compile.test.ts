import { describe, expect, test } from 'vitest'
import { failure } from '../../src/call/failure.ts'
import { suggest } from '../../src/config/suggest.ts'
import { type Remark, type RouteSpec, type StepSpec, compile } from '../../src/plan/compile.ts'
import type { Plan, Template } from '../../src/plan/plan.ts'
import { template } from './given.ts'

type Written = Partial<Omit<StepSpec, 'call'>> & { call?: Partial<StepSpec['call']> | string }

/** Compiles steps that are written as paths of calls to upstream `u`, or in more detail. */
function compiled(
  steps: Readonly<Record<string, Written | string>>,
  more: Partial<Omit<RouteSpec, 'steps'>> & { declared?: string[]; timeouts?: Record<string, number> } = {},
): { plan: Plan | null; remarks: Remark[]; told: string[] } {
  const { declared = Object.keys(steps), timeouts = { u: 100 }, ...route } = more
  const specs = Object.entries(steps).map(([name, written]) => [name, specOf(written)] as const)
  const { plan, remarks } = compile(
    { name: 'r', budget: 1_000, ...route, steps: Object.fromEntries(specs) },
    {
      upstream: (name) =>
        Object.hasOwn(timeouts, name) ? () => Promise.resolve(failure('connection_refused')) : undefined,
      timeoutMs: (name) => timeouts[name] ?? 0,
      upstreams: Object.keys(timeouts),
      declared,
      params: ['code'],
      suggest,
    },
  )
  return {
    plan,
    remarks,
    told: remarks.map(({ path, message, severity }) => `${severity} ${path.join('.')}: ${message}`),
  }
}

function specOf(written: Written | string): StepSpec {
  const { call: given = '/', ...rest } = typeof written === 'string' ? { call: written } : written
  const call = typeof given === 'string' ? { path: given } : given
  return {
    call: { method: 'GET', upstream: 'u', path: '/', ...call },
    optional: false,
    limit: 8,
    max: 100,
    accept: [200],
    decode: 'json',
    ...rest,
  }
}

const needsOf = (plan: Plan | null): unknown =>
  Object.fromEntries(
    (plan?.steps ?? []).map((step) => [step.name, step.needs.map((place) => plan?.steps[place]?.name)]),
  )

describe('a step needs', () => {
  test('every step that it reads from, wherever it does, once, and no other', () => {
    const { plan, told } = compiled({
      a: '/a',
      path: '/{a.x}/{a.y}',
      inQuery: { call: { query: { q: '{a.x}' } } },
      inHeader: { call: { headers: { 'x-a': '{a@headers.etag}' } } },
      inBody: { call: { method: 'POST', body: template({ deep: ['{a.x}', '{path}'] }) } },
      when: { when: { 'a@status': 200 } },
      unless: { unless: '{a.x}' },
      each: { each: '{a.list}', call: '/{item}' },
      none: '/{params.code}/{query.x}/{headers.x}/{cookies.x}',
    })
    expect(told).toEqual([])
    expect(needsOf(plan)).toEqual({
      a: [],
      path: ['a'],
      inQuery: ['a'],
      inHeader: ['a'],
      inBody: ['a', 'path'],
      when: ['a'],
      unless: ['a'],
      each: ['a'],
      none: [],
    })
    expect(plan?.steps[0]?.neededBy).toEqual([1, 2, 3, 4, 5, 6, 7])
  })

  test('a step that is written after it just as well', () => {
    expect(needsOf(compiled({ late: '/{early.x}', early: '/e' }).plan)).toEqual({ late: ['early'], early: [] })
  })
})

describe('a route reads the request’s body', () => {
  test('when a step or the response does, and not otherwise', () => {
    expect(compiled({ a: '/{query.x}' }).plan?.readsBody).toBe(false)
    expect(compiled({ a: '/{body.x}' }).plan?.readsBody).toBe(true)
    expect(compiled({ a: { when: 'body.x' } }).plan?.readsBody).toBe(true)
    expect(compiled({ a: { each: 'body.x' } }).plan?.readsBody).toBe(true)
    expect(compiled({ a: { call: { method: 'POST', body: '{body}' } } }).plan?.readsBody).toBe(true)
    expect(compiled({ a: '/' }, { response: '{body.x}' }).plan?.readsBody).toBe(true)
  })
})

describe('calls that are the same may be shared (F7)', () => {
  test('by steps that agree in upstream, method, timeout, accept and decode', () => {
    const { plan } = compiled(
      {
        a: '/x',
        b: '/{query.x}',
        other: { call: { upstream: 'v' } },
        slow: { timeout: 5 },
        wide: { accept: [200, 404] },
        text: { decode: 'text' },
        head: { call: { method: 'HEAD' } },
        options: { call: { method: 'OPTIONS' } },
      },
      { timeouts: { u: 100, v: 100 } },
    )
    const [a, b, ...others] = (plan?.steps ?? []).map((step) => step.sharing)
    expect(a).not.toBe(null)
    expect(b).toBe(a)
    // Nobody is there to share with.
    expect(others).toEqual(others.map(() => null))
  })

  test('but not if their targets stand as they are written, and are written differently', () => {
    const sharings = (...paths: string[]): (number | null)[] => {
      const { plan } = compiled(Object.fromEntries(paths.map((path, i) => [`s${i}`, path])))
      return (plan?.steps ?? []).map(({ sharing }) => sharing)
    }
    expect(sharings('/x', '/y', '/z')).toEqual([null, null, null])
    expect(sharings('/x', '/y', '/x')).toEqual([0, 0, 0])
    expect(sharings('/x', '/{query.x}')).toEqual([0, 0])
  })

  test('by the items of one each', () => {
    expect(compiled({ a: { each: 'query.x', call: '/{item}' } }).plan?.steps[0]?.sharing).not.toBe(null)
  })

  test('but never those whose method is not safe, or that have a body', () => {
    const sharingOf = (call: Written['call'] & object) => compiled({ a: { call }, b: { call } }).plan?.steps[0]?.sharing
    expect(['POST', 'PUT', 'PATCH', 'DELETE'].filter((method) => sharingOf({ method }) !== null)).toEqual([])
    expect(sharingOf({ body: 1 })).toBe(null)
    expect(sharingOf({})).not.toBe(null)
  })
})

describe('a fault', () => {
  test('is told of an unknown upstream, at its name, with a suggestion', () => {
    const { plan, told } = compiled({ a: { call: { upstream: 'contries' } } }, { timeouts: { countries: 1 } })
    expect(told).toEqual(['fault steps.a.call.upstream: no upstream "contries"; did you mean "countries"?'])
    expect(plan).toBe(null)
  })

  test('is told of an unknown step, where it is read, with a suggestion', () => {
    const { told } = compiled(
      {
        country: '/{contry.x}',
        b: {
          call: {
            query: { ok: '1', q: '{contry.x}' },
            headers: { 'x-a': '{contry}' },
            body: template({ k: ['{contry}'] }),
          },
        },
        c: { each: '{contry}', call: '/{item}' },
        d: { when: { 'query.x': 1, 'contry.x': 1 } },
        e: { unless: '{contry}' },
      },
      { response: template({ ok: 1, list: ['{contry.x}'] }) },
    )
    const message = 'no step "contry"; did you mean "country"?'
    expect(told).toEqual(
      [
        'steps.country.call.path',
        'steps.b.call.query.q',
        'steps.b.call.headers.x-a',
        'steps.b.call.body.k.0',
        'steps.c.each',
        'steps.d.when.contry.x',
        'steps.e.unless',
        'response.list.0',
      ].map((path) => `fault ${path}: ${message}`),
    )
  })

  test('is told of an unknown parameter and of an item outside an each', () => {
    expect(compiled({ a: '/{params.cod}' }).told).toEqual([
      'fault steps.a.call.path: the path has no parameter "cod"; did you mean "code"?',
    ])
    expect(compiled({ a: '/{item}' }).told).toEqual([
      'fault steps.a.call.path: {item} means something only within an each',
    ])
  })

  test('is not told of a step whose own description was faulty: it is a step', () => {
    expect(compiled({ a: '/{broken.x}' }, { declared: ['a', 'broken'] }).told).toEqual([])
  })

  test('is told of steps that need each other, and of a step that needs itself', () => {
    const { plan, told } = compiled({ a: '/{c.x}', b: '/{a.x}', c: '/{b.x}', self: '/{self.x}', good: '/{a.x}' })
    expect(told).toEqual([
      'fault steps.a: steps need each other: a → c → b → a',
      'fault steps.self: step "self" needs itself',
    ])
    expect(plan).toBe(null)
  })

  test('is told of every step at once', () => {
    const { told } = compiled({ a: '/{x.y}', b: { call: { upstream: 'none' } }, c: '/}' }, { response: '{nothing}' })
    expect(told.map((line) => line.split(':')[0])).toEqual([
      'fault steps.a.call.path',
      'fault steps.b.call.upstream',
      'fault steps.c.call.path',
      'fault response',
    ])
  })
})

describe('a warning', () => {
  const optional: Written = { call: '/o', optional: true }

  test('is told of a required step that reads an optional one without a default, once', () => {
    const { plan, told } = compiled({ o: optional, a: '/{o.x}/{o.y}', b: '/b' })
    expect(told).toEqual([
      'warning steps.a: step "a" is required but reads from "o", which is optional: give a default, {o.x|…}',
    ])
    expect(plan).not.toBe(null)
  })

  test('is told also where another value of the same step has a default', () => {
    expect(compiled({ o: optional, a: '/{o.x|1}/{o.y}' }).told).toEqual([
      'warning steps.a: step "a" is required but reads from "o", which is optional: give a default, {o.y|…}',
    ])
  })

  test('is not told where a default, a ?, a fallback or an optional reader makes it sound', () => {
    expect(compiled({ o: optional, a: '/{o.x|1}' }).told).toEqual([])
    expect(compiled({ o: optional, a: '/?x={o.x?}' }).told).toEqual([])
    expect(compiled({ o: { ...optional, fallback: template({ x: 1 }) }, a: '/{o.x}' }).told).toEqual([])
    expect(compiled({ o: optional, a: { call: '/{o.x}', optional: true } }).told).toEqual([])
    expect(compiled({ o: '/o', a: '/{o.x}' }).told).toEqual([])
  })

  test('is not told of a condition, which holds or does not hold also where there is no value', () => {
    expect(compiled({ o: optional, a: { when: { 'o.x': 1 }, unless: 'o.y' } }).told).toEqual([])
  })

  test('is told of a budget below the longest chain of required timeouts', () => {
    const steps = {
      a: '/a',
      b: { call: '/{a.x}', timeout: 250 },
      c: '/{a.x}',
      o: { call: '/{b.x}', optional: true, timeout: 900 },
    }
    expect(compiled(steps, { budget: 349 }).told).toEqual([
      'warning budget: the budget of 349 ms is less than its steps may take: a → b, 350 ms',
    ])
    expect(compiled(steps, { budget: 350 }).told).toEqual([])
  })
})

describe('a plan', () => {
  test('has the status, the budget and the times that are written, else the defaults', () => {
    const { plan } = compiled({ a: '/a', b: { timeout: 7 } }, { budget: 50, status: 201 })
    expect(plan).toMatchObject({ status: 201, budgetMs: 50 })
    expect(plan?.steps.map((step) => step.timeoutMs)).toEqual([100, 7])
    expect(compiled({ a: '/a' }).plan?.status).toBe(200)
  })

  test('keeps a fallback as the JSON written, with the order of its keys', () => {
    const fallback: Template = new Map<string, Template>([
      ['2', null],
      ['1', '{not.a.ref}'],
    ])
    expect(compiled({ a: { fallback } }).plan?.steps[0]?.fallback).toBe('{"2":null,"1":"{not.a.ref}"}')
    expect(compiled({ a: { fallback: null } }).plan?.steps[0]?.fallback).toBe('null')
    expect(compiled({ a: '/' }).plan?.steps[0]?.fallback).toBe(null)
  })
})
