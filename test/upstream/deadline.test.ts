import type { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { type Arrived, drip, json } from '../support/origin.ts'
import { expectAlive, expectFailure, expectNoReuse, expectProblem, startSetting } from './setting.ts'

const late = 'oneloop;error=http_response_timeout'
const body = `{"a":"${'x'.repeat(1_000)}"}`
const head = `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n`

type Slow = (request: Arrived, socket: Socket) => void | Promise<void>

/** Each of these would take far longer than any test waits. */
const slow: readonly (readonly [string, Slow])[] = [
  ['U5: no byte of a reply', () => {}],
  [
    'U5: early hints and then nothing',
    (_, socket) => void socket.write('HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n'),
  ],
  ['U6: headers byte by byte', (_, socket) => drip(socket, `HTTP/1.1 200 OK\r\na: ${'b'.repeat(1_000)}`, 10)],
  ['U7: a body byte by byte', (_, socket) => (socket.write(head), drip(socket, body, 10))],
  [
    'U7: chunks byte by byte',
    (_, socket) => {
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n[\r\n')
      return drip(socket, '1\r\n \r\n'.repeat(1_000), 10)
    },
  ],
  [
    'U7: a chunk extension without an end',
    (_, socket) => {
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;')
      return drip(socket, 'x'.repeat(1_000), 10)
    },
  ],
  ['U7: a body of which the last byte is missing', (_, socket) => void socket.write(head + body.slice(0, -1))],
]

test.each(slow)('%s: the step fails at its deadline, and the connection is closed', async (_, script) => {
  await using setting = await startSetting(script, { upstream: 'timeout: 100ms' })
  const began = performance.now()
  await expectFailure(setting, 'http_response_timeout', 504)
  const tookMs = performance.now() - began
  // Two requests one after the other; 50 ms late at the most each, were this machine ours alone.
  expect(tookMs).toBeGreaterThanOrEqual(200)
  expect(tookMs).toBeLessThan(2_000)
  await expectNoReuse(setting)
})

test('U5: the timeout of a step stands in for that of its upstream', async () => {
  await using setting = await startSetting(() => {}, { upstream: 'timeout: 60s', step: 'timeout: 100ms' })
  await expectFailure(setting, 'http_response_timeout', 504)
})

test('U5: the budget of a route ends its calls as well', async () => {
  await using setting = await startSetting(() => {}, { upstream: 'timeout: 60s', budget: '100ms' })
  const began = performance.now()
  expectProblem(await setting.ask('/required'), 504, late)
  expect(performance.now() - began).toBeGreaterThanOrEqual(100)
  const partial = await setting.ask('/optional')
  expect(partial.text).toBe('{"x":null,"y":{"y":1}}')
  expect(partial.headers.get('oneloop-missing')).toBe('x;error=http_response_timeout')
  expect(performance.now() - began).toBeLessThan(2_000)
  await expectAlive(setting)
  await expectNoReuse(setting)
})

test('U7: a slow body that is whole in time is a reply', async () => {
  const script: Slow = (_, socket) => (
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n'),
    drip(socket, '{"a":1}', 10)
  )
  await using setting = await startSetting(script)
  expect(await setting.ask('/required')).toMatchObject({ status: 200, text: '{"x":{"a":1}}' })
  await expectAlive(setting)
})

test.each(slow.slice(0, 3))('%s: a forward route is answered with 504 at its deadline', async (_, script) => {
  await using setting = await startSetting(script, { upstream: 'timeout: 100ms' })
  const began = performance.now()
  expectProblem(await setting.ask('/forward/x'), 504, late)
  expect(performance.now() - began).toBeGreaterThanOrEqual(100)
  expect(performance.now() - began).toBeLessThan(1_500)
  await expectAlive(setting)
  await expectNoReuse(setting)
})

test('U7: on a forward route a body may take longer than the timeout, which ends with the headers', async () => {
  const script: Slow = (_, socket) => (
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n'),
    drip(socket, 'x'.repeat(20), 15)
  )
  await using setting = await startSetting(script, { upstream: 'timeout: 100ms' })
  const began = performance.now()
  expect(await setting.ask('/forward/x')).toMatchObject({ status: 200, text: 'x'.repeat(20) })
  expect(performance.now() - began).toBeGreaterThan(200)
  await expectAlive(setting)
})

test('a call that ends while it waits for a connection does not cost the connection', async () => {
  const { promise: told, resolve: tell } = Promise.withResolvers<void>()
  await using setting = await startSetting(
    async (request, socket) => {
      if (request.target === '/first') await told
      socket.write(json({ a: 1 }))
    },
    { upstream: 'connections: 1, limit: 10' },
  )
  const { gateway, bad, ask } = setting
  const calls = (): number => gateway.read('oneloop.calls.active', { upstream: 'bad' })
  const first = ask('/forward/first')
  await bad.until(({ requests }) => requests.length === 1)
  const leaving = new AbortController()
  const second = ask('/forward/second', { signal: leaving.signal }).catch(() => 'left')
  await until(() => calls() === 2)
  leaving.abort()
  expect(await second).toBe('left')
  await until(() => calls() === 1)
  tell()
  expect((await first).status).toBe(200)
  expect((await ask('/forward/third')).status).toBe(200)
  await gateway.idle()
  expect(bad.requests.map(({ target }) => target)).toEqual(['/first', '/third'])
  expect(bad.opened).toBe(1)
})

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve))
}

test('U5: three hundred calls that all time out leave nothing behind', async () => {
  await using setting = await startSetting(() => {}, { upstream: 'timeout: 100ms, connections: 300, limit: 300' })
  const { gateway, bad, ask } = setting
  const answers = await Promise.all(Array.from({ length: 300 }, () => ask('/required')))
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 504))
  await gateway.idle()
  await bad.until(({ open }) => open === 0)
  expect(gateway.read('oneloop.calls', { upstream: 'bad', 'error.type': 'http_response_timeout' })).toBe(300)
})
