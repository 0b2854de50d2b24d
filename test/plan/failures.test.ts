import { describe, expect, test } from 'vitest'
import { json, response } from '../support/origin.ts'
import { after, expectProblem, has, missingIn, never, startSetting } from './setting.ts'

// Far above any deadline here and far below what a test may take: what is later than this was not the deadline's doing.
const longMs = 4_000

/** Runs `ask` and expects it to take from `atLeastMs`, give or take the clock's grain, to far less than a timeout. */
async function timed<T>(atLeastMs: number, ask: () => Promise<T>): Promise<T> {
  const began = performance.now()
  const made = await ask()
  const tookMs = performance.now() - began
  expect(tookMs).toBeGreaterThan(atLeastMs - 2)
  expect(tookMs).toBeLessThan(longMs)
  return made
}

describe('F1: one optional step fails', () => {
  const routes = `
- match: GET /all
  name: all
  steps:
    good: { call: GET u /good }
    bad: { call: GET u /bad, optional: true }
    stood: { call: GET u /bad, fallback: { known: false } }
  response: { good: "{good}", bad: "{bad}", x: "{bad.x}", t: "{bad.x}!", stood: "{stood.known}" }
  headers: { response: { set: { cache-control: max-age=60 } } }`

  test('200 with null in its place, told in Oneloop-Missing, never cached as whole', async () => {
    await using setting = await startSetting({ '/good': 1, '/bad': json({}, 500) }, routes)
    const received = await setting.ask('/all')
    expect([received.status, received.text]).toEqual([200, '{"good":1,"bad":null,"x":null,"t":null,"stood":false}'])
    expect(missingIn(received)).toEqual([
      { step: 'bad', parameters: { error: 'unaccepted_status', 'received-status': 500 } },
      { step: 'stood', parameters: { error: 'unaccepted_status', 'received-status': 500 } },
    ])
    expect(received.headers['cache-control']).toBe('no-store')
    await setting.gateway.idle()
    expect(setting.gateway.read('oneloop.requests', { 'http.route': 'all', result: 'partial' })).toBe(1)
    expect(setting.gateway.read('oneloop.missing', { 'error.type': 'unaccepted_status' })).toBe(2)
  })

  test('what is whole says nothing of the kind', async () => {
    await using setting = await startSetting({ '/good': 1, '/bad': { x: 2 } }, routes)
    const received = await setting.ask('/all')
    expect(received.headers).not.toHaveProperty('oneloop-missing')
    expect(received.headers['cache-control']).toBe('max-age=60')
    await setting.gateway.idle()
    expect(setting.gateway.read('oneloop.requests', { 'http.route': 'all', result: 'ok' })).toBe(1)
  })
})

describe('F2: one required step fails', () => {
  test('its status at once; the others, seen at the origin, are cancelled', async () => {
    const routes = `
- match: GET /all
  steps:
    bad: { call: GET u /bad }
    slow: { call: GET u /slow }
    slower: { call: GET u /slower, optional: true }
    next: { call: "GET u /next/{slow.x}" }`
    await using setting = await startSetting(
      { '/slow': never, '/slower': never, '/bad': after('/slower', response(409, {})) },
      routes,
    )
    const problem = await timed(0, async () => expectProblem(await setting.ask('/all'), 409, 'received-status=409'))
    expect(problem['errors']).toEqual([{ step: 'bad', error: 'unaccepted_status', receivedStatus: 409 }])
    await setting.origin.until(({ open }) => open <= 1)
    expect(setting.arrived().toSorted()).toEqual(['/bad', '/slow', '/slower'])
    await setting.gateway.idle()
    expect(setting.gateway.read('oneloop.calls', { upstream: 'u', 'error.type': 'cancelled' })).toBe(2)
  })

  test('what had failed before it is listed after it', async () => {
    await using setting = await startSetting(
      {
        '/first': json({}, 500),
        '/bad': (_: unknown, origin: Parameters<ReturnType<typeof has>>[0]) =>
          origin.until(has('/then')).then(() => json({}, 404)),
        '/then': never,
      },
      `
- match: GET /all
  steps:
    first: { call: GET u /first, optional: true }
    then: { call: GET u /then, when: { first: null }, optional: true }
    bad: { call: GET u /bad }`,
    )
    const problem = expectProblem(await setting.ask('/all'), 404, 'received-status=404')
    expect((problem['errors'] as { step: string }[]).map(({ step }) => step)).toEqual(['bad', 'first'])
  })
})

describe('F3: no step answers', () => {
  const optional = (...steps: string[]): string => `
- match: GET /all
  name: all
  steps:
${steps.map((step, i) => `    s${i}: { call: ${step}, optional: true }`).join('\n')}`
  const answers = {
    '/500': json({}, 500),
    '/503': response(503, { 'retry-after': '3' }),
    '/404': json({}, 404),
    '/410': json({}, 410),
    '/hangs': never,
  }

  test.each([
    ['504 before 502', ['GET u /500', 'GET u /hangs', 'GET u /404'], 504, 'error=http_response_timeout'],
    ['502 before 503', ['GET u /503', 'GET u /500', 'GET u /404'], 502, 'received-status=500'],
    ['503 before 4xx', ['GET u /404', 'GET u /503'], 503, 'received-status=503'],
    ['of equals the first', ['GET u /404', 'GET u /410'], 404, 'received-status=404'],
  ])('the worst cause decides, %s, and all are listed', async (_, steps, status, cause) => {
    await using setting = await startSetting(answers, `${optional(...steps)}\n  budget: 150ms`)
    const received = await setting.ask('/all')
    const problem = expectProblem(received, status, cause)
    const listed = (problem['errors'] as { step: string }[]).map(({ step }) => step)
    expect(listed.toSorted()).toEqual(steps.map((__, i) => `s${i}`))
    expect(received.headers['retry-after']).toBe(status === 503 ? '3' : undefined)
  })

  test('that a call could not be made for want of another’s reply is no cause beside that one’s failure', async () => {
    await using setting = await startSetting(answers, optional('GET u /404', '"GET u /x/{s0.id}"'))
    const problem = expectProblem(await setting.ask('/all'), 404, 'received-status=404')
    expect((problem['errors'] as { step: string }[]).map(({ step }) => step)).toEqual(['s0', 's1'])
  })

  test('where one has a fallback it is 200', async () => {
    await using setting = await startSetting(
      answers,
      `${optional('GET u /500')}
    stood: { call: GET u /404, fallback: [] }`,
    )
    const received = await setting.ask('/all')
    expect([received.status, received.text]).toEqual([200, '{"s0":null,"stood":[]}'])
    expect(missingIn(received).map(({ step }) => step)).toEqual(['s0', 'stood'])
  })

  test('where one was skipped and the rest failed, it is the failure', async () => {
    await using setting = await startSetting(
      answers,
      `${optional('GET u /404')}
    skipped: { call: GET u /x, when: query.x, optional: true }`,
    )
    expectProblem(await setting.ask('/all'), 404, 'received-status=404')
  })
})

describe('F4: the deadline passes', () => {
  test('200 with what arrived if all that is missing is optional; the rest is cancelled', async () => {
    await using setting = await startSetting(
      { '/quick': { id: 1 }, '/hangs': never },
      `
- match: GET /all
  name: all
  budget: 150ms
  steps:
    quick: { call: GET u /quick }
    hangs: { call: GET u /hangs, optional: true }
    next: { call: "GET u /next/{hangs.id}", optional: true }
    stood: { call: "GET u /hangs?stood", fallback: 0 }`,
    )
    const received = await timed(150, () => setting.ask('/all'))
    expect([received.status, received.text]).toEqual([200, '{"quick":{"id":1},"hangs":null,"next":null,"stood":0}'])
    expect(missingIn(received)).toEqual(
      ['hangs', 'next', 'stood'].map((step) => ({ step, parameters: { error: 'http_response_timeout' } })),
    )
    await setting.origin.until(({ open }) => open <= 1)
    expect(setting.arrived().toSorted()).toEqual(['/hangs', '/hangs?stood', '/quick'])
  })

  test('504 if a required one is missing; the rest is cancelled', async () => {
    await using setting = await startSetting(
      { '/quick': 1, '/hangs': never, '/slow': never },
      `
- match: GET /all
  name: all
  budget: 150ms
  steps: { slow: { call: GET u /slow, optional: true }, quick: { call: GET u /quick }, hangs: { call: GET u /hangs } }`,
    )
    const received = await timed(150, () => setting.ask('/all'))
    const problem = expectProblem(received, 504, 'error=http_response_timeout')
    expect((problem['errors'] as { step: string }[])[0]).toMatchObject({
      step: 'hangs',
      error: 'http_response_timeout',
    })
    await setting.origin.until(({ open }) => open <= 1)
    await setting.gateway.idle()
    expect(setting.gateway.read('oneloop.requests', { 'http.route': 'all', result: 'http_response_timeout' })).toBe(1)
    expect(setting.gateway.lines).toMatchObject([
      { fields: { reason: 'http_response_timeout', step: 'hangs', route: 'all' } },
    ])
  })

  test('an each has the items that arrived; those that were not begun are told with the others, and never sent', async () => {
    const answer = (asked: { target: string }) => (asked.target === '/x/0' ? 'zero' : undefined)
    await using setting = await startSetting(
      { '*': answer },
      `
- match: POST /each
  budget: 150ms
  steps: { all: { each: "{body}", call: "GET u /x/{item}", limit: 2, optional: true } }`,
    )
    const received = await timed(150, () => setting.post('/each', '[0,1,2,3,4]'))
    expect(received.text).toBe('{"all":["zero",null,null,null,null]}')
    expect(missingIn(received)).toEqual([{ step: 'all', parameters: { error: 'http_response_timeout', items: 4 } }])
    expect(setting.arrived()).toEqual(['/x/0', '/x/1', '/x/2'])
    await setting.gateway.idle()
    expect(setting.gateway.read('oneloop.calls', { upstream: 'u' })).toBe(3)
  })

  test('a step’s own timeout ends that step, and the rest goes on', async () => {
    await using setting = await startSetting(
      { '/hangs': never, '/after': 'after' },
      `
- match: GET /all
  steps:
    hangs: { call: GET u /hangs, timeout: 100ms, optional: true }
    after: { call: "GET u /after?x={hangs.x?}" }`,
    )
    const received = await timed(100, () => setting.ask('/all'))
    expect(received.text).toBe('{"hangs":null,"after":"after"}')
    expect(missingIn(received)).toEqual([{ step: 'hangs', parameters: { error: 'http_response_timeout' } }])
  })
})
