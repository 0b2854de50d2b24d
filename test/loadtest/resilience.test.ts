import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test, vi } from 'vitest'
import { UsageError } from '../../loadtest/bench/args.ts'
import { readArgs, scenarioNames } from '../../loadtest/resilience/args.ts'
import { sum } from '../../loadtest/resilience/gateway.ts'
import { type Moment, settles, settlingMs } from '../../loadtest/resilience/halves.ts'
import { keepalive } from '../../loadtest/resilience/keepalive.ts'
import { quantile } from '../../loadtest/resilience/quantile.ts'
import { atMost, lineOf } from '../../loadtest/resilience/scenario.ts'
import { unavailable } from '../../loadtest/resilience/unavailable.ts'

// Some tests wait for processes, which on a busy machine take their time to start.
vi.setConfig({ testTimeout: 60_000 })

const quietly = (): void => {}

describe('the command line', () => {
  test('shows everything unless told otherwise', () => {
    expect(readArgs([])).toEqual({ only: scenarioNames, json: undefined, help: false })
  })

  test('is read', () => {
    expect(readArgs(['--only', 'hedge,halves', '--json', 'x.json', '--help'])).toEqual({
      only: ['hedge', 'halves'],
      json: 'x.json',
      help: true,
    })
  })

  test.each([
    [['hedge'], '"hedge" is no word that resilience knows; see npm run resilience -- --help'],
    [['--only', 'hedges'], '--only takes halves, unavailable, neighbours, hedge, keepalive, not "hedges"'],
    [['--speed'], "Unknown option '--speed'"],
  ])('refuses %j in one line', (argv, message) => {
    expect(() => readArgs(argv)).toThrow(new UsageError(message))
  })

  test('a wrong one is told on stderr, with exit code 2', async () => {
    const run = promisify(execFile)(process.execPath, [join(import.meta.dirname, '../../loadtest/resilience.ts'), 'x'])
    await expect(run).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^resilience: "x" is no word.*\n$/),
    })
  })
})

describe('the report', () => {
  test('a figure at its goal meets it, one above does not, and one that is missing does not', () => {
    expect([atMost('', 2, 2).met, atMost('', 2.001, 2).met, atMost('', NaN, 2).met]).toEqual([true, false, false])
  })

  test('one line says what was found and what was wanted; one miss fails the whole', () => {
    const findings = [atMost('grew by', 1.23456, 5, ' %'), atMost('errors:', 1, 0)]
    expect(lineOf('hedge', findings.slice(0, 1))).toBe('PASS  hedge        grew by 1.23 % (goal ≤ 5 %)')
    expect(lineOf('hedge', findings)).toBe('FAIL  hedge        grew by 1.23 % (goal ≤ 5 %); errors: 1 (misses ≤ 0)')
  })

  test('a quantile is the nearest rank', () => {
    const hundred = Array.from({ length: 100 }, (_, i) => 100 - i)
    expect([quantile(hundred, 0.99), quantile(hundred, 0.5), quantile(hundred, 1)]).toEqual([99, 50, 100])
    expect([quantile([7], 0.001), quantile([1, 2, 3, 4], 0.6)]).toEqual([7, 3])
    expect(quantile([], 0.5)).toBeNaN()
  })

  test('a number is summed over the series whose attributes fit', () => {
    const one = (name: string, upstream: string, value: number) => ({ name, attributes: { upstream }, value })
    const status = { loops: [], series: [one('a', 'x', 1), one('a', 'y', 2), one('b', 'x', 4)] }
    expect([sum(status, 'a'), sum(status, 'a', { upstream: 'y' }), sum(status, 'c')]).toEqual([3, 2, 0])
  })
})

describe('settling', () => {
  /** A limit each 100 ms, in flight always far away. */
  const moments = (limitAt: (atMs: number) => number): Moment[] =>
    Array.from({ length: 80 }, (_, i) => ({ atMs: (i + 1) * 100, limit: limitAt((i + 1) * 100), inFlight: 1_000 }))

  test('is when the mean over a second has come within 20 % of the level', () => {
    expect(
      settlingMs(
        moments(() => 16),
        'limit',
        16,
      ),
    ).toBe(1_000)
    expect(
      settlingMs(
        moments((at) => (at <= 1_000 ? 32 : 16)),
        'limit',
        16,
      ),
    ).toBe(1_800)
    expect(
      settlingMs(
        moments(() => 19.2),
        'limit',
        16,
      ),
    ).toBe(1_000)
    expect(
      settlingMs(
        moments(() => 19.3),
        'limit',
        16,
      ),
    ).toBe(Infinity)
    expect(
      settlingMs(
        moments(() => 12),
        'limit',
        16,
      ),
    ).toBe(Infinity)
  })

  test('is judged by what comes first, and by whether it stays', () => {
    const late = moments((at) => (at <= 2_000 ? 64 : 16))
    expect(settles('', late, 16, 2_000).map(({ met }) => met)).toEqual([false, true])
    expect(
      settles(
        '',
        moments(() => 16),
        16,
        2_000,
      ).map(({ met }) => met),
    ).toEqual([true, true])
    expect(
      settles(
        '',
        moments((at) => (at <= 3_000 ? 32 : 16)),
        16,
        2_000,
      )[0]?.met,
    ).toBe(false)
    expect(
      settles(
        '',
        moments((at) => (at <= 2_000 ? 16 : 4)),
        16,
        2_000,
      ).map(({ met }) => met),
    ).toEqual([true, false])
  })
})

test('an origin that answers 503 to all sees at most 1.2 times the calls without a breaker', async () => {
  const [bare, guarded] = await unavailable(quietly, { perSecond: 200, seconds: 1 })
  expect(bare).toMatchObject({ met: true, found: expect.stringMatching(/times the calls: 1(\.\d+)?$/) })
  // How few with one is a matter of how fast the first are answered.
  expect(guarded?.found).toMatch(/^with it, of all calls: \d/)
})

test('connections that the origin closes are no error to anyone', async () => {
  const [finding] = await keepalive(quietly, 1_000)
  expect(finding).toMatchObject({ met: true, found: expect.stringMatching(/^1000 requests, .* errors: 0$/) })
})
