import { expect, test } from 'vitest'
import { type Script, json, response } from '../support/origin.ts'
import { type Setting, startSetting } from './setting.ts'

const state = ({ gateway }: Setting): number => gateway.read('oneloop.breaker.state', { upstream: 'bad' })
const breaker = 'retry: 0, breaker: { failures: 50%, of: 10, within: 60s, open: 20s }'

async function asks(setting: Setting, times: number, path = '/required'): Promise<number[]> {
  const statuses: number[] = []
  for (let i = 0; i < times; i++) statuses.push((await setting.ask(path)).status)
  return statuses
}

test('F5: when most calls fail the breaker opens: calls are refused at once, and nothing is sent', async () => {
  await using setting = await startSetting((_, socket) => void socket.write(response(500, {})), { upstream: breaker })
  expect(await asks(setting, 10)).toEqual(Array.from({ length: 10 }, () => 502))
  const refused = await setting.ask('/required')
  expect(refused).toMatchObject({ status: 503, json: { error: 'destination_unavailable' } })
  expect(refused.headers.get('proxy-status')).toBe('oneloop;error=destination_unavailable')
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(setting.bad.requests.length).toBe(10)
  const optional = await setting.ask('/optional')
  expect(optional.headers.get('oneloop-missing')).toBe('x;error=destination_unavailable')
  await setting.gateway.idle()
  expect(state(setting)).toBe(2)
  expect(setting.gateway.lines.map(({ message }) => message)).toContain('breaker open')
})

test.each<[string, Script]>([
  ['404', (_, socket) => void socket.write(response(404, {}))],
  ['429', (_, socket) => void socket.write(response(429, {}))],
  ['U25: 503 with Retry-After', (_, socket) => void socket.write(response(503, { 'retry-after': '9' }))],
])('a %s is an answer: the breaker stays closed', async (_, script) => {
  await using setting = await startSetting(script, { upstream: breaker })
  await asks(setting, 30)
  expect([setting.bad.requests.length, state(setting)]).toEqual([30, 0])
})

test('clients that leave say nothing of an upstream', async () => {
  await using setting = await startSetting(() => {}, { upstream: breaker })
  for (let i = 1; i <= 20; i++) {
    const leaving = new AbortController()
    const asked = setting.ask('/required', { signal: leaving.signal }).catch(() => null)
    await setting.bad.until(({ requests }) => requests.length === i)
    leaving.abort()
    await asked
  }
  await setting.gateway.idle()
  expect(state(setting)).toBe(0)
})

test('once it answers again, probes close the breaker', async () => {
  let good = false
  await using setting = await startSetting(
    (_, socket) => void socket.write(good ? json({ x: 1 }) : response(500, {})),
    { upstream: 'retry: 0, breaker: { of: 5, within: 60s, open: 50ms }' },
  )
  await asks(setting, 5)
  expect(state(setting)).toBe(2)
  good = true
  while (state(setting) !== 0) await asks(setting, 1)
  // Let through bit by bit at first.
  while ((await asks(setting, 10)).some((status) => status !== 200)) expect(state(setting)).toBe(0)
})

test('slow calls open it where that is asked for', async () => {
  await using setting = await startSetting((_, socket) => void setTimeout(() => socket.write(json({ x: 1 })), 40), {
    upstream: 'retry: 0, breaker: { of: 5, within: 60s, open: 20s, slow: { over: 20ms, share: 80% } }',
  })
  expect(await asks(setting, 6)).toEqual([200, 200, 200, 200, 200, 503])
})

test('a breaker that is switched off lets all calls through', async () => {
  await using setting = await startSetting((_, socket) => void socket.write(response(500, {})), {
    upstream: 'retry: 0, breaker: off',
  })
  await asks(setting, 40)
  expect(setting.bad.requests.length).toBe(40)
})

test('a forward route meets an open breaker too, and its 500s count', async () => {
  await using setting = await startSetting((_, socket) => void socket.write(response(500, {})), { upstream: breaker })
  expect(await asks(setting, 11, '/forward/x')).toEqual([...Array.from({ length: 10 }, () => 500), 503])
})

test('clients that wait for less time than is usual cannot open it, nor those that ask for what is too large', async () => {
  await using impatient = await startSetting(() => {}, { upstream: `${breaker}, timeout: 1s`, budget: '5s' })
  const asking = { headers: { 'grpc-timeout': '300m' } }
  for (let i = 0; i < 3; i++) await Promise.all(Array.from({ length: 8 }, () => impatient.ask('/required', asking)))
  expect([impatient.bad.requests.length, state(impatient)]).toEqual([24, 0])
  await using large = await startSetting((_, socket) => void socket.write(response(200, {}, '"too large"')), {
    upstream: `${breaker}, maxBody: 4B`,
  })
  await asks(large, 24)
  expect([large.bad.requests.length, state(large)]).toEqual([24, 0])
})

test('an upstream that hangs opens it though its timeout is longer than any budget', async () => {
  await using setting = await startSetting(() => {}, { upstream: `${breaker}, timeout: 30s`, budget: '60ms' })
  await asks(setting, 10)
  expect(state(setting)).toBe(2)
})
