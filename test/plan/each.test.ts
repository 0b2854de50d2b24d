import { describe, expect, test } from 'vitest'
import type { Arrived, Origin } from '../support/origin.ts'
import { json, response } from '../support/origin.ts'
import { expectProblem, has, missingIn, never, startSetting } from './setting.ts'

const itemOf = ({ target }: Arrived): number => Number(target.split('/').at(-1))
const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

/** A route that calls for each of the numbers of the body; `more` stands in the step. */
const route = (more: string): string => `
- match: POST /each
  steps:
    all: { each: "{body.ids}", call: "GET u /x/{item}", ${more} }`

const idsOf = (ids: unknown): string => JSON.stringify({ ids })

test('replies stand in the order of the items, whichever came first', async () => {
  const order: number[] = []
  const answered = numbers(6).map(() => Promise.withResolvers<void>())
  answered[5]?.resolve()
  // The last is answered first, the first last.
  const answer = async (asked: Arrived) => {
    const item = itemOf(asked)
    await answered[item + 1]?.promise
    order.push(item)
    setImmediate(() => answered[item]?.resolve())
    return { item }
  }
  await using setting = await startSetting({ '*': answer }, route('limit: 5'))
  const received = await setting.post('/each', idsOf(numbers(5)))
  expect(received.json()).toEqual({ all: numbers(5).map((item) => ({ item })) })
  expect(order).toEqual([4, 3, 2, 1, 0])
})

test('item and index stand in path, query, header and body', async () => {
  await using setting = await startSetting(
    {
      '/y/b%2F': async (asked: Arrived) => ({
        body: String(await asked.body),
        h: asked.headers['x-i'],
        t: asked.target,
      }),
    },
    `
- match: POST /each
  steps:
    all:
      each: "{body.items}"
      call:
        method: POST
        upstream: u
        path: "/y/{item.code}"
        query: { i: "{index}", q: "{item.q?}" }
        headers: { x-i: "{item.n}" }
        body: { item: "{item}", index: "{index}" }`,
  )
  const received = await setting.post('/each', '{"items":[{"code":"b/","n":1.5,"q":"&"}]}')
  const body = '{"item":{"code":"b/","n":1.5,"q":"&"},"index":0}'
  expect(received.json()).toEqual({ all: [{ body, h: '1.5', t: '/y/b%2F?i=0&q=%26' }] })
})

test.each([
  ['3 where 3 is written', 'limit: 3', 3],
  ['8 where nothing is written', '', 8],
  ['1 where 1 is written', 'limit: 1', 1],
])('F9: as many calls are under way at once as `limit` says, and no more: %s', async (_, more, limit) => {
  const count = 20
  let answered = 0
  let most = 0
  const answer = async (_asked: Arrived, origin: Origin) => {
    most = Math.max(most, origin.requests.length - answered)
    // Answered only once all that may be under way are: with fewer nothing would ever be.
    await origin.until(({ requests }) => requests.length >= Math.min(count, answered + limit))
    answered++
    return answered
  }
  await using setting = await startSetting({ '*': answer }, route(more))
  const received = await setting.post('/each', idsOf(numbers(count)))
  expect((received.json() as { all: unknown[] }).all.length).toBe(count)
  expect(most).toBe(limit)
})

describe('more items than `max`', () => {
  test('fail the step, and nothing is called: 400 where the client sent them', async () => {
    await using setting = await startSetting({ '*': 1 }, route('max: 2'))
    const problem = expectProblem(await setting.post('/each', idsOf([1, 2, 3])), 400, 'error=bind_missing')
    expect(problem['detail']).toContain('{body.ids}')
    expect(setting.arrived()).toEqual([])
    expect((await setting.post('/each', idsOf([1, 2]))).status).toBe(200)
  })

  test('fail the step: 502 where a reply holds them', async () => {
    await using setting = await startSetting(
      { '/list': numbers(101), '*': 1 },
      `
- match: GET /each
  steps: { list: { call: GET u /list }, all: { each: "{list}", call: "GET u /x/{item}" } }`,
    )
    const problem = expectProblem(await setting.ask('/each'), 502, 'error=bind_missing')
    expect(problem['detail']).toContain('{list}')
    expect(setting.arrived()).toEqual(['/list'])
  })

  test('are 101 where nothing is written', async () => {
    await using setting = await startSetting({ '*': 1 }, route(''))
    expect((await setting.post('/each', idsOf(numbers(100)))).status).toBe(200)
    expect((await setting.post('/each', idsOf(numbers(101)))).status).toBe(400)
  })

  test('of an optional step are told, and its fallback or null stands for it', async () => {
    await using setting = await startSetting(
      { '*': 1 },
      `${route('max: 1, optional: true')}
    other: { each: "{body.ids}", call: "GET u /y/{item}", max: 1, fallback: [] }
    ok: { call: GET u /ok }`,
    )
    const received = await setting.post('/each', idsOf([1, 2]))
    expect(received.text).toBe('{"all":null,"other":[],"ok":1}')
    expect(missingIn(received).map(({ step }) => step)).toEqual(['all', 'other'])
  })
})

describe('a failed item', () => {
  test('of an optional step is null in its place, and told with how many there were', async () => {
    const answer = (asked: Arrived) => (itemOf(asked) % 2 === 1 ? json({}, 404) : { item: itemOf(asked) })
    await using setting = await startSetting({ '*': answer }, route('optional: true'))
    const received = await setting.post('/each', idsOf(numbers(5)))
    expect(received.status).toBe(200)
    expect(received.text).toBe('{"all":[{"item":0},null,{"item":2},null,{"item":4}]}')
    expect(received.headers['oneloop-missing']).toBe('all;error=unaccepted_status;received-status=404;items=2')
    expect(received.headers['cache-control']).toBe('no-store')
  })

  test('of an optional step is one that cannot be bound, too', async () => {
    await using setting = await startSetting({ '*': 1 }, route('optional: true'))
    const received = await setting.post('/each', idsOf(['a', null, {}, '..', '', 'b']))
    expect(received.text).toBe('{"all":[1,null,null,null,null,1]}')
    expect(missingIn(received)).toEqual([{ step: 'all', parameters: { error: 'bind_missing', items: 4 } }])
    expect(setting.arrived().toSorted()).toEqual(['/x/a', '/x/b'])
  })

  test('of a required step fails the route at once: the others are cancelled and no more are begun (F2)', async () => {
    const answer = (asked: Arrived, origin: Origin) =>
      itemOf(asked) === 1 ? origin.until(has('/x/2')).then(() => json({}, 409)) : never()
    await using setting = await startSetting({ '*': answer }, route('limit: 3'))
    const problem = expectProblem(await setting.post('/each', idsOf(numbers(20))), 409, 'received-status=409')
    expect(problem['errors']).toEqual([{ step: 'all', error: 'unaccepted_status', receivedStatus: 409 }])
    await setting.origin.until(({ open }) => open <= 1)
    expect(setting.arrived().toSorted()).toEqual(['/x/0', '/x/1', '/x/2'])
  })

  test('of a required step with a fallback has the fallback stand for all of it, at once', async () => {
    const answer = (asked: Arrived) => (itemOf(asked) === 1 ? json({}, 500) : never())
    await using setting = await startSetting({ '*': answer }, route('limit: 3, fallback: { none: true }'))
    const received = await setting.post('/each', idsOf(numbers(20)))
    expect([received.status, received.text]).toEqual([200, '{"all":{"none":true}}'])
    expect(missingIn(received)).toEqual([
      { step: 'all', parameters: { error: 'unaccepted_status', 'received-status': 500 } },
    ])
    await setting.origin.until(({ open }) => open <= 1)
  })

  test('that the client gave and that cannot be bound is the client’s fault: 400', async () => {
    await using setting = await startSetting({ '*': 1 }, route(''))
    for (const bad of [null, {}, '', '..', 'a\r\nb', '\ud800']) {
      const received = await setting.post('/each', idsOf([bad]))
      const problem = expectProblem(received, 400, 'error=bind_missing')
      expect(problem['detail']).toBe('the request gives no usable value for {item} (all)')
    }
    expect(setting.arrived()).toEqual([])
  })

  test('that a reply gave and that cannot be bound is the upstream’s: 502', async () => {
    await using setting = await startSetting(
      { '/list': [{ id: null }], '*': 1 },
      `
- match: GET /each
  steps: { list: { call: GET u /list }, all: { each: "{list}", call: "GET u /x/{item.id}" } }`,
    )
    const problem = expectProblem(await setting.ask('/each'), 502, 'error=bind_missing')
    expect(problem['detail']).toBe('a reply gives no usable value for {item.id} (all)')
  })
})

test('F3: where all items fail nothing has answered: the items decide', async () => {
  await using setting = await startSetting({ '*': () => json({}, 404) }, route('optional: true'))
  expectProblem(await setting.post('/each', idsOf([1, 2])), 404, 'received-status=404')
})

test('no items are no calls and an empty list, and that is an answer', async () => {
  await using setting = await startSetting({ '*': 1 }, route('optional: true'))
  const received = await setting.post('/each', idsOf([]))
  expect([received.status, received.text, received.headers['oneloop-missing']]).toEqual([200, '{"all":[]}', undefined])
  expect(setting.arrived()).toEqual([])
})

test('F3: no items are an answer also where all else failed', async () => {
  await using setting = await startSetting(
    { '*': json({}, 500) },
    `${route('optional: true')}
    no: { call: GET u /no, optional: true }`,
  )
  const received = await setting.post('/each', idsOf([]))
  expect([received.status, received.text]).toEqual([200, '{"all":[],"no":null}'])
})

describe('what is not an array', () => {
  test.each([['null'], ['{}'], ['"abc"'], ['7']])('fails the step, 400 where the client sent it: %s', async (ids) => {
    await using setting = await startSetting({ '*': 1 }, route(''))
    const problem = expectProblem(await setting.post('/each', `{"ids":${ids}}`), 400, 'error=bind_missing')
    expect(problem).toMatchObject({ errors: [{ step: 'all', reference: 'body.ids' }] })
    expect(setting.arrived()).toEqual([])
  })

  test('fails the step, 502 where it came in a reply, and null stands for an optional one', async () => {
    await using setting = await startSetting(
      { '/o': { list: null } },
      `
- match: GET /required
  steps: { o: { call: GET u /o }, all: { each: "{o.list}", call: "GET u /x/{item}" } }
- match: GET /optional
  steps: { o: { call: GET u /o }, all: { each: "{o.list}", call: "GET u /x/{item}", optional: true } }
- match: GET /default
  steps: { o: { call: GET u /o }, all: { each: "{o.list|[]}", call: "GET u /x/{item}" } }`,
    )
    expectProblem(await setting.ask('/required'), 502, 'error=bind_missing')
    const received = await setting.ask('/optional')
    expect(received.text).toBe('{"o":{"list":null},"all":null}')
    expect(missingIn(received)).toEqual([{ step: 'all', parameters: { error: 'bind_missing' } }])
    expect((await setting.ask('/default')).text).toBe('{"o":{"list":null},"all":[]}')
  })
})

test('an each may read from an each, and a response from both', async () => {
  await using setting = await startSetting(
    { '/x/1': { more: 'a' }, '/x/2': { more: 'b' }, '/y/a': response(200, {}, ' "A" '), '/y/b': response(204, {}) },
    `
- match: POST /each
  steps:
    all: { each: "{body.ids}", call: "GET u /x/{item}" }
    more: { each: "{all}", call: "GET u /y/{item.more}" }
  response: { more: "{more}", first: "{more.0}", ids: { $each: "{all}", as: "{item.more}{index}" } }`,
  )
  const received = await setting.post('/each', idsOf([1, 2]))
  expect(received.text).toBe('{"more":[ "A" ,null],"first":"A","ids":["a0","b1"]}')
})
