import { expect, test } from 'vitest'
import { timeoutOf } from '../../src/call/deadline.ts'
import { type Script, json } from '../support/origin.ts'
import { type Setting, startSetting } from './setting.ts'

const answers: Script = (_, socket) => void socket.write(json({ x: 1 }))
const sent = ({ bad }: Setting, field = 'grpc-timeout'): number | null => timeoutOf(bad.requests.at(-1)?.headers[field])

test('F4: an upstream is told how much time it has: that of an attempt', async () => {
  await using setting = await startSetting(answers, { upstream: 'timeout: 700ms' })
  await setting.ask('/required')
  expect(sent(setting)).toBeGreaterThan(0)
  expect(sent(setting)).toBeLessThanOrEqual(700)
})

test('F4: or what is left of the budget, where that is less', async () => {
  await using setting = await startSetting(answers, { upstream: 'timeout: 700ms', budget: '300ms' })
  await setting.ask('/required')
  expect(sent(setting)).toBeLessThanOrEqual(300)
})

test('a client shortens the budget by the time that it waits itself, and cannot lengthen it', async () => {
  await using setting = await startSetting(answers, { upstream: 'timeout: 2s', budget: '1s' })
  await setting.ask('/required', { headers: { 'grpc-timeout': '200m' } })
  expect(sent(setting)).toBeLessThanOrEqual(200)
  await setting.ask('/required', { headers: { 'grpc-timeout': '1H' } })
  expect(sent(setting)).toBeLessThanOrEqual(1_000)
  expect(sent(setting)).toBeGreaterThan(200)
})

test('a request whose client no longer waits is answered in time', async () => {
  await using setting = await startSetting(() => {}, { budget: '5s' })
  const answer = await setting.ask('/required', { headers: { 'grpc-timeout': '50m' } })
  expect(answer).toMatchObject({ status: 504, json: { error: 'http_response_timeout' } })
})

test('what a client sent is replaced on a forward route by what is left', async () => {
  await using setting = await startSetting(answers, { upstream: 'timeout: 700ms' })
  await setting.ask('/forward/x', { headers: { 'grpc-timeout': '1H' } })
  expect(sent(setting)).toBeLessThanOrEqual(700)
})

test('the field has the name that the operator gives it, or there is none', async () => {
  await using named = await startSetting(answers, { upstream: 'deadline: X-Time-Left' })
  await named.ask('/required')
  expect(sent(named, 'x-time-left')).toBeGreaterThan(0)
  expect(sent(named)).toBeNull()
  await using none = await startSetting(answers, { upstream: 'deadline: off' })
  await none.ask('/required')
  expect(none.bad.requests.at(-1)?.head).not.toMatch(/timeout/)
})
