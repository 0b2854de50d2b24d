import { expect, test } from 'vitest'
import { startGateway } from '../support/gateway.ts'
import { type Script, json, response, startJsonOrigin, startOrigin } from '../support/origin.ts'
import { type Setting, ask, startSetting } from './setting.ts'

const silent: Script = () => {}
const answers: Script = (_, socket) => void socket.write(json({ x: 1 }))
const hedges = ({ gateway }: Setting): number => gateway.read('oneloop.hedges', { upstream: 'bad' })

/** The first request meets another fate than those behind it. */
function firstOf(first: Script, others: Script): Script {
  let came = 0
  return (request, socket) => (came++ === 0 ? first : others)(request, socket)
}

test('a call that takes long is sent a second time, the first good reply wins', async () => {
  await using setting = await startSetting(firstOf(silent, answers), { upstream: 'hedge: 20ms, retry: 0' })
  expect(await setting.ask('/required')).toMatchObject({ status: 200, text: '{"x":{"x":1}}' })
  await setting.gateway.idle()
  expect([setting.bad.requests.length, hedges(setting)]).toEqual([2, 1])
  expect(setting.gateway.read('oneloop.calls', { upstream: 'bad' })).toBe(1)
})

test('F8: the loser is cancelled and its connection, on which a reply may still come, is not used again', async () => {
  await using setting = await startSetting(firstOf(silent, answers), { upstream: 'hedge: 20ms, retry: 0' })
  await setting.ask('/required')
  await setting.bad.until(({ open }) => open === 1)
  await setting.ask('/required')
  expect(setting.bad.requests.map(({ connection }) => connection)).toEqual([1, 2, 2])
})

test('a second attempt that wins goes to another endpoint', async () => {
  await using bad = await startOrigin(silent)
  await using good = await startJsonOrigin({ '/x': 1 })
  await using gateway = await startGateway(`
upstreams: { o: { endpoints: ["${bad.url}", "${good.url}"], hedge: 10ms, retry: { more: 1, budget: 100% } } }
routes: [{ match: GET /, steps: { x: { call: GET o /x } } }]`)
  const all = await Promise.all(Array.from({ length: 10 }, () => ask(gateway.url)))
  expect(all.map(({ text }) => text)).toEqual(all.map(() => '{"x":1}'))
})

test('while the other attempt is under way a failure decides nothing', async () => {
  await using setting = await startSetting(
    firstOf(
      async (request, socket) => {
        await setting.bad.until(({ requests }) => requests.length === 2)
        await answers(request, socket)
      },
      (_, socket) => void socket.end(),
    ),
    { upstream: 'hedge: 20ms, retry: 0' },
  )
  expect(await setting.ask('/required')).toMatchObject({ status: 200 })
  expect(setting.bad.requests.length).toBe(2)
})

test('when both attempts fail the call fails, once', async () => {
  await using setting = await startSetting(
    async (_, socket) => {
      await setting.bad.until(({ requests }) => requests.length === 2)
      socket.write(response(500, {}))
    },
    { upstream: 'hedge: 20ms, retry: 0' },
  )
  expect(await setting.ask('/required')).toMatchObject({ status: 502 })
  await setting.gateway.idle()
  expect(setting.gateway.read('oneloop.calls', { upstream: 'bad' })).toBe(1)
})

test('what fails before it takes long is not sent a second time', async () => {
  await using setting = await startSetting((_, socket) => void socket.end(), { upstream: 'hedge: 2s, retry: 0' })
  expect(await setting.ask('/required')).toMatchObject({ status: 502 })
  await setting.gateway.idle()
  expect([setting.bad.requests.length, hedges(setting)]).toEqual([1, 0])
})

test.each<[string, string, RequestInit]>([
  ['POST', '/posted', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }],
  ['stream', '/forward/x', {}],
])('a %s is sent once, however long it takes', async (_, path, init) => {
  await using setting = await startSetting(silent, { upstream: 'hedge: 10ms, timeout: 100ms, retry: 0' })
  expect(await setting.ask(path, init)).toMatchObject({ status: 504 })
  expect([setting.bad.requests.length, hedges(setting)]).toEqual([1, 0])
})

test('second attempts are paid from the budget of further attempts', async () => {
  await using setting = await startSetting(silent, { upstream: 'hedge: 10ms, timeout: 150ms, retry: 0' })
  await Promise.all(Array.from({ length: 10 }, () => setting.ask('/required')))
  // At least three in 10 s, whatever the share.
  expect([setting.bad.requests.length, hedges(setting)]).toEqual([13, 3])
})

test('none is made while the limit is reached', async () => {
  await using setting = await startSetting(silent, {
    upstream: 'hedge: 10ms, timeout: 150ms, retry: 0, limit: { max: 1, queue: 5, wait: 1s }',
  })
  await setting.ask('/required')
  expect([setting.bad.requests.length, hedges(setting)]).toEqual([1, 0])
})

test('p95 is that of the calls before: without enough of them nothing is sent twice, then what is slower', async () => {
  let slow = false
  await using setting = await startSetting((request, socket) => (slow ? undefined : answers(request, socket)), {
    upstream: 'hedge: p95, retry: 0',
  })
  for (let i = 0; i < 60; i++) expect(await setting.ask('/required')).toMatchObject({ status: 200 })
  const before = hedges(setting)
  slow = true
  const asked = setting.ask('/required')
  await setting.bad.until(({ requests }) => requests.length === 62 + before)
  expect(hedges(setting)).toBe(before + 1)
  await asked
})

test('a step may be hedged where its upstream is not, and the other way round', async () => {
  await using on = await startSetting(firstOf(silent, answers), { upstream: 'retry: 0', step: 'hedge: 20ms' })
  expect(await on.ask('/required')).toMatchObject({ status: 200 })
  await using off = await startSetting(silent, {
    upstream: 'hedge: 10ms, retry: 0, timeout: 100ms',
    step: 'hedge: off',
  })
  expect(await off.ask('/required')).toMatchObject({ status: 504 })
  expect(off.bad.requests.length).toBe(1)
})

test('a 404 is an answer: it decides though the other attempt is under way', async () => {
  await using setting = await startSetting(
    firstOf(async (_, socket) => {
      await setting.bad.until(({ requests }) => requests.length === 2)
      socket.write(response(404, {}))
    }, silent),
    { upstream: 'hedge: 20ms, retry: 0', budget: '5s' },
  )
  expect(await setting.ask('/required')).toMatchObject({ status: 404 })
  await setting.gateway.idle()
})

test('none is made while calls wait for a connection', async () => {
  await using setting = await startSetting(silent, {
    upstream: 'hedge: 10ms, timeout: 150ms, retry: 0, connections: 1, limit: 10',
  })
  await Promise.all(Array.from({ length: 3 }, () => setting.ask('/required')))
  expect(hedges(setting)).toBe(0)
})

test('steps of one upstream share what is known of its latencies', async () => {
  let slow = false
  await using origin = await startOrigin((request, socket) => (slow ? undefined : answers(request, socket)))
  await using gateway = await startGateway(`
upstreams: { o: { endpoints: ["${origin.url}"], hedge: p95, retry: 0, timeout: 300ms } }
routes:
  - { match: GET /a, steps: { x: { call: GET o /a } } }
  - { match: GET /b, steps: { x: { call: GET o /b } } }`)
  for (let i = 0; i < 60; i++) await ask(`${gateway.url}/a`)
  const before = gateway.read('oneloop.hedges', { upstream: 'o' })
  slow = true
  await ask(`${gateway.url}/b`)
  expect(gateway.read('oneloop.hedges', { upstream: 'o' })).toBe(before + 1)
})
