import { expect, test } from 'vitest'
import type { Upstream } from '../../src/call/call.ts'
import { Wheel } from '../../src/call/wheel.ts'
import { app } from '../../src/server/app.ts'
import { forwardedBy } from '../../src/server/forwarded.ts'
import { listen } from '../../src/server/listen.ts'
import { serveForward, serveSteps } from '../../src/server/serve.ts'
import { Instruments } from '../../src/telemetry/instruments.ts'
import { type Line, Sparing } from '../../src/telemetry/log.ts'
import { requestMeter, seriesOf } from '../../src/telemetry/meters.ts'
import { connect, request } from '../support/client.ts'
import { expectProblem } from '../support/problem.ts'

const broken: Readonly<Record<string, Upstream>> = {
  throws: () => {
    throw new Error('a bug of ours')
  },
  rejects: () => Promise.reject(new Error('a bug of ours')),
}

test.each(Object.keys(broken))('an upstream that %s, which none may, costs that request only: 500, told in the log', async (how) => {
  const instruments = new Instruments(seriesOf(['route'], []))
  const lines: Line[] = []
  const log = new Sparing({ write: (level, message, fields) => void lines.push({ level, message, fields, at: 0 }) }, () => 0)
  const wheel = new Wheel()
  const entrance = { route: 'route', budgetMs: 5_000, wheel, meter: requestMeter(instruments, 'route'), log }
  const upstream = broken[how] as Upstream
  const none = { set: [], remove: new Set<string>() }
  const step = {
    ...{ name: 'a', upstream, bind: () => ({ method: 'GET', path: '/', headers: [], body: null, accept: () => true, decode: 'json' }) as const },
    ...{ needs: [], neededBy: [], runs: () => true, each: null, optional: false, fallback: null, decode: 'json' as const },
    ...{ sharing: null, timeoutMs: 1_000 },
  }
  const plan = { steps: [step], merge: () => '{}', status: 200, budgetMs: 5_000, readsBody: false }
  const { fetch } = app([
    {
      ...{ method: 'GET', path: '/forward' },
      serve: serveForward(entrance, { upstream, target: null, request: none, response: none }, forwardedBy([]), Infinity),
    },
    {
      ...{ method: 'GET', path: '/steps' },
      serve: serveSteps(entrance, { plan, rules: null, from: [] }, { maxBytes: 1_024, schema: undefined, reads: false }),
    },
  ])
  const limits = { header: 16_384, headers: 100, url: 8_192 }
  const listening = await listen(fetch, { host: '127.0.0.1', port: 0, limits, shared: false })
  await using client = await connect(listening.port)
  const paths = how === 'throws' ? ['/forward', '/steps'] : ['/forward']
  for (const path of paths) {
    client.send(request('GET', path))
    const response = await client.response()
    expect(expectProblem(response, 500).error).toBe('proxy_internal_error')
    expect(response.text).not.toContain('a bug of ours')
  }
  // Counted when they are over, which the client cannot see: the next response comes behind that.
  client.send(request('GET', '/nowhere'))
  expectProblem(await client.response(), 404)
  expect(lines.map(({ fields }) => fields)).toMatchObject(
    paths.map((path) => ({ reason: 'proxy_internal_error', path, detail: expect.stringContaining('a bug of ours') })),
  )
  const counted = instruments.read().filter(({ value }) => value !== 0)
  expect(counted).toMatchObject([{ attributes: { result: 'proxy_internal_error' }, value: paths.length }])
  expect(wheel.size).toBe(0)
  listening.cut()
  await listening.drain(0, 1_000)
})
