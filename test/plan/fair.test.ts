import { expect, test } from 'vitest'
import type { Arrived, Origin } from '../support/origin.ts'
import { json } from '../support/origin.ts'
import { missingIn, startSetting } from './setting.ts'

const isLarge = ({ target }: Arrived): boolean => target.startsWith('/large/')
const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

/** Counts what is under way at an origin: of all calls, and of those of the large request. */
function counting() {
  const most = { all: 0, large: 0 }
  const now = { all: 0, large: 0 }
  const during = async (asked: Arrived, answer: () => unknown): Promise<unknown> => {
    const large = isLarge(asked) ? 1 : 0
    now.all++
    now.large += large
    most.all = Math.max(most.all, now.all)
    most.large = Math.max(most.large, now.large)
    const made = await answer()
    now.all--
    now.large -= large
    return made
  }
  return { most, during }
}

test('F9: beside a request of 50 calls requests of one call are all answered while it runs, and both bounds hold', async () => {
  const { most, during } = counting()
  const small = 40
  let answered = 0
  let released = 0
  // The large one's calls are answered only when all the small requests are: had they to wait for it, none would be.
  const holding = Promise.withResolvers<void>()
  const answer = (asked: Arrived, origin: Origin) =>
    during(asked, async () => {
      if (isLarge(asked)) await holding.promise
      // Two permits are left: a small one is answered once both are in use.
      else await origin.until(({ requests }) => requests.length >= 8 + Math.min(small, released + 2))
      if (!isLarge(asked)) released++
      return asked.target
    })
  await using setting = await startSetting(
    { '*': answer },
    `
- match: POST /large
  budget: 20s
  steps: { all: { each: "{body}", call: "GET u /large/{item}", limit: 8, timeout: 20s } }
- match: GET /small/:n
  budget: 20s
  steps: { one: { call: "GET u /small/{params.n}", timeout: 20s } }`,
    'limit: { max: 10, queue: 100, wait: 20s }',
  )
  const large = setting.post('/large', JSON.stringify(numbers(50)))
  await setting.origin.until(({ requests }) => requests.filter(isLarge).length >= 8)
  const asked = numbers(small).map(async (n) => {
    const received = await setting.ask(`/small/${n}`)
    expect(received.json()).toEqual({ one: `/small/${n}` })
    answered++
  })
  await Promise.all(asked)
  expect(answered).toBe(small)
  expect(setting.origin.requests.filter(isLarge).length).toBe(8)
  holding.resolve()
  expect((await large).json()).toEqual({ all: numbers(50).map((n) => `/large/${n}`) })
  expect(most).toEqual({ all: 10, large: 8 })
})

test('F9: 50 steps of one request take turns with requests of one call, in the order in which they came', async () => {
  const { most, during } = counting()
  let released = 0
  const answer = (asked: Arrived, origin: Origin) =>
    during(asked, async () => {
      // Four may be under way, and each waits until four are.
      await origin.until(({ requests }) => requests.length >= Math.min(60, released + 4))
      released++
      return 1
    })
  const steps = numbers(50).map((n) => `    s${n}: { call: GET u /large/${n} }`)
  await using setting = await startSetting(
    { '*': answer },
    `
- match: GET /large
  steps:
${steps.join('\n')}
- match: GET /small
  steps: { one: { call: GET u /small } }`,
    'limit: { max: 4, queue: 200, wait: 5s }',
  )
  const [large, ...small] = await Promise.all([setting.ask('/large'), ...numbers(10).map(() => setting.ask('/small'))])
  expect(large.status).toBe(200)
  expect(small.map(({ text }) => text)).toEqual(numbers(10).map(() => '{"one":1}'))
  expect(most.all).toBe(4)
})

test('F9: what waits beyond the queue is refused at once, and only that', async () => {
  const holding = Promise.withResolvers<void>()
  await using setting = await startSetting(
    { '*': () => holding.promise.then(() => 1), '/ok': 1 },
    `
- match: POST /large
  steps: { all: { each: "{body}", call: "GET u /x/{item}", limit: 5, optional: true } }`,
    'limit: { max: 2, queue: 2, wait: 5s }',
  )
  const asking = setting.post('/large', '[0,1,2,3,4]')
  await setting.origin.until(({ requests }) => requests.length === 2)
  holding.resolve()
  const received = await asking
  expect(received.json()).toEqual({ all: [1, 1, 1, 1, null] })
  expect(missingIn(received)).toEqual([{ step: 'all', parameters: { error: 'connection_limit_reached', items: 1 } }])
})

test('a failed item leaves its permit to the next', async () => {
  await using setting = await startSetting(
    { '*': json({}, 500) },
    `
- match: POST /large
  steps: { all: { each: "{body}", call: "GET u /x/{item}", optional: true }, ok: { call: GET u /x/ok, fallback: 1 } }`,
    'limit: { max: 1, queue: 100, wait: 5s }',
  )
  const received = await setting.post('/large', JSON.stringify(numbers(30)))
  expect(missingIn(received)[0]?.parameters).toMatchObject({ error: 'unaccepted_status', items: 30 })
  expect(setting.origin.requests.length).toBe(31)
})
