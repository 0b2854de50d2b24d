import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Upstream } from '../../src/call/call.ts'
import type { Scope } from '../../src/call/scope.ts'
import { Wheel } from '../../src/call/wheel.ts'
import { Endpoints } from '../../src/upstream/balance.ts'
import { startChecks } from '../../src/upstream/health.ts'

interface Asked {
  readonly key: string
  readonly at: number
  readonly scope: Scope
  readonly answer: (good: boolean) => void
}

interface Settings {
  readonly keys?: readonly string[]
  readonly timeoutMs?: number
  readonly random?: () => number
  /** Answers a check at once; null leaves it to the test. */
  readonly script?: (key: string) => boolean | null
}

const never: Upstream = () => new Promise(() => {})
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Checks every second of endpoints whose health is the test's to say, on a clock of its own. */
function setting({ keys = ['a', 'b'], timeoutMs = 500, random = () => 0.5, script = () => true }: Settings = {}) {
  let now = 0
  const wheel = new Wheel(() => now)
  const endpoints = new Endpoints(() => now, Math.random, null)
  const set = (...to: string[]): void =>
    endpoints.set(to, () => ({ upstream: never, destroy: () => Promise.resolve() }))
  const asked: Asked[] = []
  const check = (key: string, scope: Scope): Promise<boolean> =>
    new Promise((resolve) => {
      asked.push({ key, at: now, scope, answer: resolve })
      scope.watch(() => resolve(false))
      const good = script(key)
      if (good !== null) resolve(good)
    })
  set(...keys)
  const stop = startChecks({ endpoints, everyMs: 1_000, timeoutMs, check, wheel, random })
  /** Lets time pass, a tick of the wheel at once. */
  const pass = async (ms: number): Promise<void> => {
    for (const end = now + ms; now < end;) {
      now += 4
      wheel.advance()
      await turn()
    }
  }
  const ill = (): string[] => endpoints.list().flatMap(({ key, healthy }) => (healthy ? [] : [key]))
  const timesOf = (key: string): number[] => asked.filter((one) => one.key === key).map(({ at }) => at)
  return { endpoints, wheel, set, asked, stop, pass, ill, timesOf }
}

/** Random numbers in turn, and then over again. */
function cycle(...numbers: number[]): () => number {
  let i = 0
  return () => numbers[i++ % numbers.length] as number
}

test('each endpoint is asked every second, first at some moment of the first', async () => {
  const { pass, timesOf, stop, wheel } = setting({ random: cycle(0.1, 0.9, 0.5, 0.5, 0.5, 0.5) })
  await pass(3_000)
  expect([timesOf('a'), timesOf('b')]).toEqual([
    [100, 1_100, 2_100],
    [900, 1_900, 2_900],
  ])
  // One alarm for the next look at the set, and one for each next check.
  expect(wheel.size).toBe(3)
  stop()
  expect(wheel.size).toBe(0)
})

test('from one check to the next it is a tenth more or less', async () => {
  const gapsOf = async (random: number): Promise<number[]> => {
    const { pass, timesOf, stop } = setting({ keys: ['a'], random: cycle(0, random, random, random) })
    await pass(3_000)
    stop()
    return timesOf('a').flatMap((at, i, all) => (i === 0 ? [] : [at - (all[i - 1] as number)]))
  }
  // The wheel is up to a tick late.
  expect((await gapsOf(0))[0]).toBe(900)
  expect((await gapsOf(0.999_999))[0]).toBe(1_100)
  expect((await gapsOf(0.5))[0]).toBe(1_000)
})

test('three bad checks in a row take an endpoint out, two good ones take it back, whatever they do by turns', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.boolean(), { minLength: 1, maxLength: 15 }), async (answers) => {
      const given = [...answers]
      const { pass, ill, stop } = setting({ script: (key) => key === 'b' || (given.shift() ?? true) })
      const seen: boolean[] = []
      await pass(520)
      while (seen.length < answers.length) {
        seen.push(ill().length === 0)
        await pass(1_000)
      }
      stop()
      let healthy = true
      const expected = answers.map((_, i) => {
        const lately = (count: number): boolean[] => answers.slice(Math.max(0, i + 1 - count), i + 1)
        if (healthy) healthy = lately(3).length < 3 || lately(3).includes(true)
        else healthy = lately(2).every(Boolean)
        return healthy
      })
      expect(seen).toEqual(expected)
    }),
    { numRuns: 15, examples: [[[true, true, true, false, false, false, true, false, true, true, false]]] },
  )
})

test('a check is ended when its time is over, which is bad, and there are never two of one endpoint', async () => {
  for (const [timeoutMs, boundMs] of [
    [300, 300],
    [5_000, 1_000],
  ] as const) {
    const { pass, asked, ill, stop, wheel } = setting({ keys: ['a'], timeoutMs, script: () => null })
    let most = 0
    const endedAt = new Map<number, number>()
    for (let ms = 0; ms < 4_800; ms += 4) {
      await pass(4)
      most = Math.max(most, asked.filter(({ scope }) => scope.ended === null).length)
      for (const { at, scope } of asked) if (scope.ended !== null && !endedAt.has(at)) endedAt.set(at, ms + 4)
      expect(ill()).toEqual(endedAt.size < 3 ? [] : ['a'])
    }
    expect(most).toBe(1)
    expect(endedAt.size).toBeGreaterThanOrEqual(3)
    for (const [at, end] of endedAt) expect([boundMs, boundMs + 4]).toContain(end - at)
    for (const { scope } of asked.slice(0, 3)) expect(scope.ended).toBe('http_response_timeout')
    stop()
    expect(wheel.size).toBe(0)
  }
})

test('a check that takes longer than its turn puts the next one off, not more', async () => {
  const { pass, asked, timesOf, stop } = setting({ keys: ['a'], timeoutMs: 5_000, random: () => 0, script: () => null })
  // The next was due after 900.
  await pass(960)
  asked[0]?.answer(true)
  await turn()
  await pass(8)
  expect(timesOf('a')).toEqual([4, 964])
  asked[1]?.answer(true)
  await pass(904)
  expect(timesOf('a')).toEqual([4, 964, 1_864])
  stop()
})

test('endpoints that come are asked within two turns, those that go not at all, and one that is back is new', async () => {
  let good = false
  const { set, pass, timesOf, ill, stop, wheel, asked } = setting({ keys: [], script: () => good })
  await pass(1_500)
  expect(asked).toEqual([])
  set('a', 'b', 'c')
  await pass(2_000)
  expect(timesOf('a').length).toBeGreaterThanOrEqual(1)
  await pass(3_700)
  expect(ill()).toEqual(['a', 'b', 'c'])
  // Between the look and the check.
  set('b', 'd')
  const before = timesOf('a').length
  await pass(2_000)
  expect([timesOf('a').length, timesOf('d').length >= 1]).toEqual([before, true])
  set('a', 'b')
  expect(ill()).toEqual(['b'])
  // It takes three bad checks, as of any that is new.
  const first = timesOf('a').length
  while (timesOf('a').length < first + 2) await pass(4)
  expect(ill()).toEqual(['b'])
  while (timesOf('a').length < first + 3) await pass(4)
  expect(ill()).toEqual(['a', 'b'])
  good = true
  await pass(2_500)
  expect(ill()).toEqual([])
  stop()
  expect(wheel.size).toBe(0)
})

test('one that goes while it is asked has that check ended, and what it comes to is not heard', async () => {
  const { set, pass, asked, ill, stop, wheel, timesOf } = setting({ timeoutMs: 900, script: () => null })
  await pass(520)
  expect(asked.map(({ key }) => key).toSorted()).toEqual(['a', 'b'])
  set('b')
  // The look comes each second.
  await pass(484)
  expect(asked.find(({ key }) => key === 'a')?.scope.ended).toBe('cancelled')
  expect(asked.find(({ key }) => key === 'b')?.scope.ended).toBe(null)
  await pass(1_500)
  expect([timesOf('a').length, ill()]).toEqual([1, []])
  stop()
  expect(wheel.size).toBe(0)
})

test('to stop ends checks that are under way, which then say nothing, and leaves no alarm', async () => {
  const { pass, asked, ill, stop, wheel, endpoints } = setting({ script: () => null })
  await pass(520)
  for (let i = 0; i < 2; i++) {
    for (const { answer } of asked.slice(-2)) answer(false)
    await turn()
    await pass(1_000)
  }
  expect(asked.length).toBe(6)
  expect(endpoints.list().every(({ healthy }) => healthy)).toBe(true)
  stop()
  expect([wheel.size, asked.slice(4).map(({ scope }) => scope.ended)]).toEqual([0, ['cancelled', 'cancelled']])
  await turn()
  await pass(5_000)
  expect([asked.length, wheel.size, ill()]).toEqual([6, 0, []])
})

test('to stop between two checks leaves no alarm either', async () => {
  const { pass, asked, stop, wheel } = setting()
  stop()
  expect(wheel.size).toBe(0)
  await pass(2_000)
  expect(asked).toEqual([])
})
