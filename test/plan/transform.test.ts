import { describe, expect, test } from 'vitest'
import { json } from '../support/origin.ts'
import { expectProblem, has, missingIn, never, startSetting } from './setting.ts'

const routes = `
- match: ANY /given/:code/*
  transform: ./plan/hooks.ts#given
  steps:
    a: { call: GET u /a }
    bad: { call: GET u /bad, optional: true }
    stood: { call: GET u /bad, fallback: { stood: true } }
    skipped: { call: GET u /a, when: query.never }
    all: { each: "{a.list}", call: "GET u /a?i={item}" }
- match: GET /later
  transform: ./plan/hooks.ts#later
  steps: { a: { call: GET u /a } }
- match: GET /does
  name: does
  budget: 200ms
  transform: ./plan/hooks.ts#does
  steps: { a: { call: GET u /a } }
- match: GET /late
  budget: 150ms
  transform: ./plan/hooks.ts#readsReplies
  steps: { a: { call: GET u /a }, b: { call: GET u /hangs, optional: true } }`

const answers = { '/a': { n: 1, list: [1, 2] }, '/bad': json({}, 500), '/hangs': never }

describe('a transform', () => {
  test('is given the request and the reply of each step, null for one that is missing', async () => {
    await using setting = await startSetting(answers, routes)
    const received = await setting.ask('/given/%C3%BC/x/y?q=1&q=2&z=', { 'x-key': 'k' }, 'POST', '{"b":[null]}')
    expect(received.headers['content-type']).toBe('application/json')
    expect(received.json()).toEqual({
      params: { code: 'ü', '*': 'x/y' },
      query: { q: '1', z: '' },
      header: 'k',
      Header: 'k',
      absent: null,
      body: { b: [null] },
      replies: {
        a: answers['/a'],
        bad: null,
        stood: { stood: true },
        skipped: null,
        all: [answers['/a'], answers['/a']],
      },
    })
    expect(missingIn(received).map(({ step }) => step)).toEqual(['bad', 'stood'])
  })

  test('is given no body where there is none', async () => {
    await using setting = await startSetting(answers, routes)
    expect((await setting.ask('/given/a/b')).json()).toMatchObject({ body: null, params: { '*': 'b' } })
  })

  test('may take its time, and other requests go on meanwhile', async () => {
    await using setting = await startSetting(answers, routes)
    const [one, other] = await Promise.all([setting.ask('/later'), setting.ask('/does?kind=text')])
    expect([one.text, other.text]).toEqual([`{"later":${JSON.stringify(answers['/a'])}}`, '"text"'])
  })

  test.each([
    ['null', 'null'],
    ['text', '"text"'],
    ['list', '[1,{"d":"1970-01-01T00:00:00.000Z"}]'],
  ])('makes the body as JSON, whatever it returns: %s', async (kind, text) => {
    await using setting = await startSetting(answers, routes)
    const received = await setting.ask(`/does?kind=${kind}`)
    expect([received.status, received.text]).toEqual([200, text])
  })

  test('F4: sees what arrived before the deadline, with null for what did not', async () => {
    await using setting = await startSetting(answers, routes)
    const received = await setting.ask('/late')
    expect([received.status, received.text]).toEqual([200, '{"a":1,"b":"none"}'])
    expect(missingIn(received)).toEqual([{ step: 'b', parameters: { error: 'http_response_timeout' } }])
  })
})

describe('P9: a transform', () => {
  test.each([
    ['throws', 'secret reason'],
    ['throws-text', 'secret reason'],
    ['throws-nothing', 'undefined'],
    ['throws-an-object-without-text', ''],
    ['rejects', 'secret reason'],
    ['rejects-late', 'secret reason'],
    ['returns-nothing', 'the transform returned nothing'],
    ['resolves-nothing', 'the transform returned nothing'],
    ['returns-no-json', 'BigInt'],
    ['returns-a-circle', 'circular'],
    ['has-a-thenable-that-throws', 'secret reason'],
  ])(
    'that %s costs that request, 500, and the loop lives; the reason is in the log and not in the answer',
    async (kind, why) => {
      await using setting = await startSetting(answers, routes)
      const received = await setting.ask(`/does?kind=${kind}`)
      const problem = expectProblem(received, 500, 'error=transform_error')
      expect(problem['detail']).toBe('the response could not be made')
      expect(received.head + received.text).not.toMatch(/secret|hooks\.ts|BigInt|circular/)
      await setting.gateway.idle()
      const [line, ...others] = setting.gateway.lines
      expect(others).toEqual([])
      expect(line?.fields).toMatchObject({ reason: 'transform_error', route: 'does', status: 500 })
      expect(line?.fields['requestId']).toBe(problem['requestId'])
      expect(String(line?.fields['detail'])).toContain(why)
      expect(setting.gateway.read('oneloop.requests', { 'http.route': 'does', result: 'transform_error' })).toBe(1)
      expect((await setting.ask('/does?kind=text')).text).toBe('"text"')
    },
  )

  test('that hangs is left behind at the deadline, 504, and the loop lives', async () => {
    await using setting = await startSetting(answers, routes)
    const began = performance.now()
    const hanging = setting.ask('/does?kind=hangs')
    await setting.origin.until(has('/a'))
    expect((await setting.ask('/does?kind=text')).text).toBe('"text"')
    expectProblem(await hanging, 504, 'error=http_response_timeout')
    const tookMs = performance.now() - began
    expect(tookMs).toBeGreaterThan(198)
    expect(tookMs).toBeLessThan(4_000)
    await setting.gateway.idle()
    expect(setting.gateway.lines).toMatchObject([{ fields: { reason: 'http_response_timeout', route: 'does' } }])
  })

  test('is not asked when a required step has failed', async () => {
    await using setting = await startSetting({ '/a': json({}, 404) }, routes)
    expectProblem(await setting.ask('/does?kind=throws'), 404, 'received-status=404')
  })
})
