import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { startGateway } from '../support/gateway.ts'
import { manyTurns } from '../support/client.ts'
import { type Script, json, response, startOrigin } from '../support/origin.ts'
import { type Setting, ask, expectAlive, expectProblem, startSetting } from './setting.ts'

const hourMs = 3_600_000

// The wall clock alone: timers, and the clock that only goes on, are the machine's.
beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: Date.now() }))
afterEach(() => void vi.useRealTimers())

/** An origin that answers only when it is told to, request by request. */
function held() {
  const waiting: (() => void)[] = []
  const script: Script = (_, socket) => void waiting.push(() => void socket.write(json({ x: 1 })))
  return { script, release: () => waiting.splice(0).forEach((answer) => answer()) }
}

const active = ({ gateway }: Setting): number => gateway.read('oneloop.calls.active', { upstream: 'bad' })

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve))
}

describe.each([
  ['forwards', hourMs],
  ['backwards', -hourMs],
])('P8: the wall clock jumps an hour %s', (_, byMs) => {
  const jump = (): void => void vi.setSystemTime(Date.now() + byMs)

  test('timeouts and budgets do not end before their time', async () => {
    const { script, release } = held()
    await using setting = await startSetting(script, { upstream: 'timeout: 15s', budget: '15s' })
    const asked = [setting.ask('/required'), setting.ask('/optional'), setting.ask('/forward/x')]
    await setting.bad.until(({ requests }) => requests.length === 3)
    jump()
    await manyTurns(setting.gateway.port, 100)
    expect(active(setting)).toBe(3)
    release()
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([200, 200, 200])
    await expectAlive(setting)
  })

  test.each([
    ['a timeout', 'timeout: 150ms', '15s'],
    ['a budget', 'timeout: 15s', '150ms'],
  ])('%s ends, and no later than in its time', async (_name, upstream, budget) => {
    await using setting = await startSetting(() => {}, { upstream, budget })
    const asked = setting.ask('/required')
    await setting.bad.until(({ requests }) => requests.length === 1)
    jump()
    // Put off by an hour, it would outlast the test.
    expectProblem(await asked, 504, 'oneloop;error=http_response_timeout')
    await expectAlive(setting)
  })

  test('who waits for a permit keeps the place, and goes when there is one', async () => {
    const { script, release } = held()
    const limit = 'timeout: 15s, limit: { max: 1, queue: 5, wait: 15s }'
    await using setting = await startSetting(script, { upstream: limit, budget: '15s' })
    const asked = Array.from({ length: 3 }, () => setting.ask('/required'))
    await until(() => active(setting) === 3)
    jump()
    await manyTurns(setting.gateway.port, 100)
    expect([active(setting), setting.bad.requests.length]).toEqual([3, 1])
    for (const count of [1, 2, 3]) {
      await setting.bad.until(({ requests }) => requests.length === count)
      release()
    }
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([200, 200, 200])
    await expectAlive(setting)
  })

  test('who waits for a permit is refused when the wait is over', async () => {
    const { script, release } = held()
    const limit = 'timeout: 15s, limit: { max: 1, queue: 5, wait: 100ms }'
    await using setting = await startSetting(script, { upstream: limit, budget: '15s' })
    const first = setting.ask('/required')
    await setting.bad.until(({ requests }) => requests.length === 1)
    const second = setting.ask('/required')
    await until(() => active(setting) === 2)
    jump()
    expectProblem(await second, 503, 'oneloop;error=connection_limit_reached')
    release()
    expect((await first).status).toBe(200)
    await expectAlive(setting)
  })

  test('an open breaker stays open', async () => {
    const breaker = 'breaker: { failures: 50%, of: 5, within: 60s, open: 20s }'
    await using setting = await startSetting((_request, socket) => void socket.write(response(500, {})), {
      upstream: breaker,
    })
    for (let i = 0; i < 5; i++) expect((await setting.ask('/required')).status).toBe(502)
    jump()
    for (let i = 0; i < 20; i++) expectProblem(await setting.ask('/required'), 503, unavailable)
    expect(setting.bad.requests.length).toBe(5)
    await expectAlive(setting)
  })

  test('calls that failed before it open a breaker with those that fail after it', async () => {
    const breaker = 'breaker: { failures: 50%, of: 10, within: 60s, open: 20s }'
    await using setting = await startSetting((_request, socket) => void socket.write(response(500, {})), {
      upstream: breaker,
    })
    for (let i = 0; i < 10; i++) {
      if (i === 5) jump()
      expect((await setting.ask('/required')).status).toBe(502)
    }
    expectProblem(await setting.ask('/required'), 503, unavailable)
  })

  test('an open breaker lets probes through when its time is over', async () => {
    let good = false
    await using setting = await startSetting(
      (_request, socket) => void socket.write(good ? json({ x: 1 }) : response(500, {})),
      { upstream: 'breaker: { failures: 50%, of: 5, within: 60s, open: 100ms }' },
    )
    for (let i = 0; i < 5; i++) await setting.ask('/required')
    expect(setting.gateway.lines.map(({ message }) => message)).toContain('breaker open')
    good = true
    jump()
    while ((await setting.ask('/required')).status !== 200) continue
    await expectAlive(setting)
  })

  test('the wait before a further attempt is neither cut short', async () => {
    const script: Script = (_request, socket) => void socket.write(response(503, { 'retry-after': 10 }))
    await using setting = await startSetting(script, { upstream: 'retry: 1', budget: '15s' })
    const leaving = new AbortController()
    const asked = setting.ask('/required', { signal: leaving.signal }).catch((error: Error) => error.name)
    await setting.bad.until(({ requests }) => requests.length === 1)
    await manyTurns(setting.gateway.port, 20)
    jump()
    await manyTurns(setting.gateway.port, 100)
    expect([active(setting), setting.bad.requests.length]).toEqual([1, 1])
    leaving.abort()
    expect(await asked).toBe('AbortError')
    await expectAlive(setting)
  })

  test('nor made longer', async () => {
    let turn = 0
    const script: Script = (_request, socket) =>
      void socket.write(turn++ === 0 ? response(503, { 'retry-after': 1 }) : json({ x: 1 }))
    await using setting = await startSetting(script, { upstream: 'retry: 1', budget: '15s' })
    const asked = setting.ask('/required')
    await setting.bad.until(({ requests }) => requests.length === 1)
    await manyTurns(setting.gateway.port, 20)
    jump()
    expect(await asked).toMatchObject({ status: 200, text: '{"x":{"x":1}}' })
    await expectAlive(setting)
  })

  test('an endpoint that was ejected stays out, and connections that idle are used again', async () => {
    await using bad = await startOrigin((_request, socket) => void socket.write(response(500, {})))
    await using good = await startOrigin((_request, socket) => void socket.write(json({ x: 1 })))
    await using gateway = await startGateway(`
upstreams:
  o: { endpoints: ["${bad.url}", "${good.url}"], retry: 0, breaker: off, ejection: { failures: 1, for: 20s } }
routes: [{ match: GET /, steps: { x: { call: GET o /x } } }]`)
    const out = (): number => gateway.read('oneloop.endpoints.out', { upstream: 'o' })
    while (out() === 0) await ask(gateway.url)
    await ask(gateway.url)
    const before = [bad.requests.length, bad.opened, good.opened]
    jump()
    for (let i = 0; i < 20; i++) expect((await ask(gateway.url)).status).toBe(200)
    expect([bad.requests.length, bad.opened, good.opened, out()]).toEqual([...before, 1])
  })
})

const unavailable = 'oneloop;error=destination_unavailable'
