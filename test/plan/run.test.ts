import { expect, test } from 'vitest'
import type { Outcome, Upstream } from '../../src/call/call.ts'
import { failure } from '../../src/call/failure.ts'
import { Scope } from '../../src/call/scope.ts'
import { Wheel } from '../../src/call/wheel.ts'
import { suggest } from '../../src/config/suggest.ts'
import { compile } from '../../src/plan/compile.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { run } from '../../src/plan/run.ts'
import { stateOf } from './given.ts'

/** A plan whose calls are answered by hand: `answer` settles the call to a path. */
function scripted(steps: Readonly<Record<string, string>>) {
  const calls = new Map<string, (outcome: Outcome) => void>()
  const upstream: Upstream = (call, scope) => {
    return new Promise((resolve) => {
      calls.set(call.path, resolve)
      scope.watch((why) => resolve(failure(why)))
    })
  }
  const specOf = (path: string) => ({
    call: { method: 'GET', upstream: 'u', path },
    optional: false,
    limit: 8,
    max: 100,
    accept: [200],
    decode: 'json' as const,
  })
  const entries = Object.entries(steps).map(([name, path]) => [name, specOf(path)] as const)
  const { plan } = compile(
    { name: 'r', budget: 1_000, steps: Object.fromEntries(entries) },
    {
      upstream: () => upstream,
      timeoutMs: () => 100,
      upstreams: ['u'],
      declared: Object.keys(steps),
      params: [],
      suggest,
    },
  )
  const answer = (path: string, outcome: Outcome): void => calls.get(path)?.(outcome)
  return { plan: plan as Plan, answer, called: () => [...calls.keys()] }
}

const reply = (json: string): Outcome => ({ ok: true, status: 200, headers: {}, body: Buffer.from(json) })
const turn = (): Promise<void> => new Promise((done) => setImmediate(done))

test('F2: a required step that fails ends the plan at once: what is under way is cancelled, and nothing more begins', async () => {
  const { plan, answer, called } = scripted({ good: '/good', bad: '/bad', slow: '/slow', next: '/next/{slow}' })
  const scope = new Scope(new Wheel(), Infinity)
  const running = run(plan, stateOf().input, scope)
  answer('/good', reply('1'))
  answer('/bad', failure('connection_refused'))
  const ended = await running
  expect(ended.failed).toEqual({ step: 'bad', failure: failure('connection_refused') })
  expect([scope.ended, scope.size]).toEqual(['cancelled', 0])
  await turn()
  // What came of the others afterwards is nobody's business: above all, that they were cancelled is no cause.
  expect(ended.state.parts.map((part) => part?.failure)).toEqual([
    null,
    failure('connection_refused'),
    undefined,
    undefined,
  ])
  expect(called()).toEqual(['/good', '/bad', '/slow'])
})

test('a plan that has all its replies ends with them, in the order of its steps, and leaves its scope open', async () => {
  const { plan, answer, called } = scripted({ last: '/{first}/{second}', first: '/1', second: '/2' })
  const scope = new Scope(new Wheel(), Infinity)
  const running = run(plan, stateOf().input, scope)
  expect(called()).toEqual(['/1', '/2'])
  answer('/2', reply('"b"'))
  await turn()
  expect(called()).toEqual(['/1', '/2'])
  answer('/1', reply('"a"'))
  await turn()
  expect(called()).toEqual(['/1', '/2', '/a/b'])
  answer('/a/b', reply('3'))
  const ended = await running
  expect([ended.failed, scope.ended]).toEqual([null, null])
  expect(ended.state.parts.map((part) => part?.value())).toEqual([3, 'a', 'b'])
  const [last, first, second] = ended.spans
  expect(last?.began).toBeGreaterThanOrEqual(Math.max(first?.ended ?? NaN, second?.ended ?? NaN))
})

test('a plan in a scope that has ended makes no call', async () => {
  const { plan, called } = scripted({ a: '/a', b: '/b/{a}' })
  const scope = new Scope(new Wheel(), Infinity)
  scope.close('cancelled')
  const { failed } = await run(plan, stateOf().input, scope)
  expect(failed).toEqual({ step: 'a', failure: failure('cancelled') })
  expect(called()).toEqual([])
})
