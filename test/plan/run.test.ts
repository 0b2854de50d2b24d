import fc from 'fast-check'
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
function scripted(steps: Readonly<Record<string, string>>, optional: readonly string[] = []) {
  const calls = new Map<string, (outcome: Outcome) => void>()
  const upstream: Upstream = (call, scope) => {
    return new Promise((resolve) => {
      calls.set(call.path, resolve)
      scope.watch((why) => resolve(failure(why)))
    })
  }
  const specOf = (name: string, path: string) => ({
    call: { method: 'GET', upstream: 'u', path },
    optional: optional.includes(name),
    limit: 8,
    max: 100,
    accept: [200],
    decode: 'json' as const,
  })
  const entries = Object.entries(steps).map(([name, path]) => [name, specOf(name, path)] as const)
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

/** Steps that read from earlier ones, which of them may fail, and how and in which order their calls are answered. */
const stories = fc.integer({ min: 1, max: 7 }).chain((size) =>
  fc.record({
    steps: fc.tuple(
      ...Array.from({ length: size }, (_, place) =>
        fc.record({
          needs: place === 0 ? fc.constant<number[]>([]) : fc.uniqueArray(fc.nat(place - 1), { maxLength: 3 }),
          optional: fc.boolean(),
          fails: fc.boolean(),
        }),
      ),
    ),
    picks: fc.array(fc.nat(), { minLength: size, maxLength: size }),
  }),
)

test('whatever the order of replies and failures, each step is called once, as soon as it can be, and no longer than there is use', async () => {
  await fc.assert(
    fc.asyncProperty(stories, async ({ steps, picks }) => {
      const pathOf = (needs: readonly number[], place: number): string =>
        `/${place}?${needs.map((other) => `x={s${other}|none}`).join('&')}`
      const { plan, answer, called } = scripted(
        Object.fromEntries(steps.map(({ needs }, place) => [`s${place}`, pathOf(needs, place)])),
        steps.flatMap(({ optional }, place) => (optional ? [`s${place}`] : [])),
      )
      const scope = new Scope(new Wheel(), Infinity)
      let ended: Awaited<ReturnType<typeof run>> | null = null
      void run(plan, stateOf().input, scope).then((one) => (ended = one))

      const settled = new Set<number>()
      const may = (place: number): boolean => (steps[place]?.needs ?? []).every((other) => settled.has(other))
      const placeOf = (path: string): number => Number(path.slice(1).split('?', 1)[0])
      for (const pick of picks) {
        const expected = steps.flatMap((_, place) => (may(place) ? [place] : []))
        expect(
          called()
            .map(placeOf)
            .toSorted((a, b) => a - b),
        ).toEqual(expected)
        const waiting = called().filter((path) => !settled.has(placeOf(path)))
        const path = waiting[pick % waiting.length] as string
        const place = placeOf(path)
        const { fails, optional } = steps[place] as (typeof steps)[number]
        answer(path, fails ? failure('connection_refused') : reply('1'))
        settled.add(place)
        await turn()
        if (!fails || optional) continue
        expect(ended).toMatchObject({ failed: { step: `s${place}` } })
        expect([scope.ended, scope.size]).toEqual(['cancelled', 0])
        return
      }
      const answered = steps.some(({ fails }) => !fails)
      expect(ended).toMatchObject({ failed: answered ? null : { step: 's0' } })
      expect(scope.ended).toBe(answered ? null : 'cancelled')
    }),
  )
})
