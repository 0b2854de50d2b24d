import type { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { json } from '../support/origin.ts'
import { type Setting, expectAlive, expectProblem, startSetting } from './setting.ts'

/** An origin that hangs until it is let go, and from then on answers. */
function hanging() {
  const { promise: may, resolve: letGo } = Promise.withResolvers<void>()
  const script = async (_: unknown, socket: Socket): Promise<void> => {
    await may
    socket.write(json({ x: 1 }))
  }
  return { script, letGo }
}

const active = ({ gateway }: Setting): number => gateway.read('oneloop.calls.active', { upstream: 'bad' })

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve))
}

// Longer than the test takes: what ends is what was let go.
const long = { budget: '15s' }
const patient = 'timeout: 15s, connections: 4'

test.each<[string, string, number]>([
  ['whose limit is full', `${patient}, limit: { max: 4, queue: 0 }`, 4],
  ['whose limit and queue are full', `${patient}, limit: { max: 4, queue: 4, wait: 15s }`, 8],
  ['whose connections are fewer than its limit', `${patient}, limit: { max: 8, queue: 0 }`, 8],
  // As many as there are connections by default.
  ['with the default limit, which is full', 'timeout: 15s', 128],
])('F6: beside an upstream that hangs, %s, the others are served as ever', async (_, upstream, hung) => {
  const { script, letGo } = hanging()
  await using setting = await startSetting(script, { upstream, ...long })
  let settled = 0
  const waiting = Array.from({ length: hung }, async () => {
    const answer = await setting.ask('/required')
    settled++
    return answer
  })
  await until(() => active(setting) === hung)

  // In a row over one connection, then all at once over many.
  for (let i = 0; i < 50; i++) expect((await setting.ask('/healthy')).status).toBe(200)
  const others = await Promise.all(Array.from({ length: 300 }, () => setting.ask('/healthy')))
  expect(others.filter(({ status }) => status !== 200)).toEqual([])
  expect(setting.good.requests.length).toBe(350)
  // They waited for nobody: what hung hangs still.
  expect([settled, active(setting)]).toEqual([0, hung])

  letGo()
  const answers = await Promise.all(waiting)
  expect(answers.filter(({ status }) => status !== 200)).toEqual([])
  await expectAlive(setting)
})

test('F6: what the full limit refuses costs its own part only, and says so', async () => {
  const { script, letGo } = hanging()
  await using setting = await startSetting(script, { upstream: `${patient}, limit: { max: 4, queue: 0 }`, ...long })
  const waiting = Array.from({ length: 4 }, () => setting.ask('/required'))
  await until(() => active(setting) === 4)

  const mixed = await Promise.all(Array.from({ length: 100 }, () => setting.ask('/optional')))
  for (const { status, text, headers } of mixed) {
    expect({ status, text }).toEqual({ status: 200, text: '{"x":null,"y":{"y":1}}' })
    expect(headers.get('oneloop-missing')).toBe('x;error=connection_limit_reached')
  }
  expectProblem(await setting.ask('/required'), 503, 'oneloop;error=connection_limit_reached')
  expect([active(setting), setting.bad.requests.length, setting.good.requests.length]).toEqual([4, 4, 100])

  letGo()
  expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([200, 200, 200, 200])
  await expectAlive(setting)
})
