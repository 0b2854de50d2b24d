import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { Clock } from '../../loadtest/simulate/clock.ts'
import type { Moment } from '../../loadtest/simulate/play.ts'
import { scenarios, settlingMs, simulate } from '../../loadtest/simulate/scenarios.ts'
import { Servers } from '../../loadtest/simulate/servers.ts'

const program = join(import.meta.dirname, '../../loadtest/simulate.ts')
const run = (...args: string[]) => promisify(execFile)(process.execPath, [program, ...args])

describe.each(scenarios)('$name', (scenario) => {
  test.each([1, 2, 3])('meets its goals with seed %i', async (seed) => {
    const findings = await simulate(scenario, seed)
    expect(findings.filter(({ met }) => !met)).toEqual([])
    expect(findings.length).toBeGreaterThan(0)
  })
})

test('the same seed gives the same findings', async () => {
  const [scenario] = scenarios
  const [one, other] = [await simulate(scenario!, 5), await simulate(scenario!, 5)]
  expect(one).toEqual(other)
})

test('a limit has settled when the mean over a second is within 20 %, and not before a second is over', () => {
  const moments = (...limits: number[]): Moment[] =>
    limits.map((limit, i) => ({ at: (i + 1) * 100, limit, inFlight: limit, queued: 0, working: 0, refused: 0 }))
  const times = (count: number, limit: number) => Array.from({ length: count }, () => limit)
  expect(settlingMs(moments(...times(20, 100)), 'limit', 100)).toBe(1_000)
  expect(settlingMs(moments(...times(20, 200), ...times(20, 100)), 'limit', 100)).toBe(2_800)
  expect(settlingMs(moments(...times(20, 80)), 'inFlight', 100)).toBe(1_000)
  expect(settlingMs(moments(...times(20, 79)), 'inFlight', 100)).toBe(Infinity)
})

test('what happens at the same moment happens in the order in which it was set, and time does not run back', async () => {
  const clock = new Clock()
  const seen: [number, number][] = []
  const delays = Array.from({ length: 200 }, (_, i) => (i * 37) % 50)
  delays.forEach((ms, i) => clock.after(ms, () => void seen.push([clock.now, i])))
  await clock.passUntil(49)
  const inOrder = delays.map((ms, i): [number, number] => [ms, i])
  expect(seen).toEqual(inOrder.toSorted(([a, i], [b, j]) => a - b || i - j))
  expect(clock.now).toBe(49)
})

test('servers take as many as they are, the others in the order of coming, and one that goes ends its call', async () => {
  const clock = new Clock()
  const servers = new Servers(clock, 2, () => 10)
  const done: string[] = []
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) servers.take(() => void done.push(`${name} ${clock.now}`))
  expect([servers.busy, servers.queued]).toEqual([2, 4])
  clock.after(5, () => servers.resize(1))
  clock.after(25, () => servers.resize(3))
  await clock.passUntil(100)
  expect(done).toEqual(['a 10', 'b 10', 'c 20', 'd 30', 'e 35', 'f 35'])
})

describe('the command line', () => {
  test('shows what was found, with exit code 0 when all goals are met', async () => {
    const { stdout } = await run('--seed', '2')
    expect(stdout).toMatch(/^capacity halves, and returns \(seed 2\)\n {2}met .*halved: limit comes to 32 after/)
    expect(stdout).not.toContain('MISSED')
  })

  test('has a help text', async () => {
    expect((await run('--help')).stdout).toContain('--seed 1')
  })

  test.each([
    [['--seed', 'x'], 'simulate: --seed takes a whole number, not "x"\n'],
    [['--sead', '1'], "simulate: Unknown option '--sead'\n"],
  ])('refuses %j in one line, with exit code 2', async (args, stderr) => {
    await expect(run(...args)).rejects.toMatchObject({ code: 2, stderr })
  })
})
