import { describe, expect, test } from 'vitest'
import { UsageError } from '../../loadtest/bench/args.ts'
import { histogram, record } from '../../loadtest/drive/histogram.ts'
import type { Second } from '../../loadtest/drive/play.ts'
import { readArgs } from '../../loadtest/play/args.ts'
import { readPoints } from '../../loadtest/play/k6.ts'
import { readMetrics } from '../../loadtest/play/prometheus.ts'
import type { Scenario } from '../../loadtest/play/scenario.ts'
import { scenarios } from '../../loadtest/play/scenarios.ts'
import { partsConfig } from '../../loadtest/play/stage.ts'
import { measuredOf, pointsOf, stepsOf, totalsOf } from '../../loadtest/play/tally.ts'
import { judge } from '../../loadtest/play/thresholds.ts'
import { type Interval, watcher } from '../../loadtest/play/watch.ts'
import { parse } from '../../src/config/load.ts'

/** A second in which so many requests were answered after so long, and what went wrong besides. */
function second(good: number, ms: number, failed: Record<string, number> = {}, more: Partial<Second> = {}): Second {
  const latencies = histogram()
  for (let i = 0; i < good; i++) record(latencies, ms)
  const offered = good + Object.values(failed).reduce((sum, count) => sum + count, 0)
  return { offered, good, prompt: good, partial: 0, failed, dropped: 0, answered: good, lateMs: 0, latencies, ...more }
}

function interval(utilisation: number, more: Partial<Interval> = {}): Interval {
  return { utilisation, delayMs: 1, shed: 0, missing: 0, calls: 0, ledger: {}, rssMiB: 100, ...more }
}

describe('the command line', () => {
  test('is read', () => {
    expect(readArgs(['ramp'])).toEqual({ name: 'ramp', loops: 1, length: 1, driver: undefined, save: false })
    expect(readArgs(['soak', '--loops', '2', '--length=0.5', '--driver', 'own', '--save'])).toEqual({
      name: 'soak',
      loops: 2,
      length: 0.5,
      driver: 'own',
      save: true,
    })
    expect(readArgs(['--help'])).toBe('help')
  })

  const all = Object.keys(scenarios).join(', ')
  test.each([
    [[], `which one? ${all}`],
    [['flood'], `"flood" is no load run; there are ${all}`],
    [['smoke', 'ramp'], `"ramp" is no load run; there are ${all}`],
    [['smoke', '--loops', '0'], '--loops takes a number, not "0"'],
    [['smoke', '--length', '-1'], "Option '--length' argument is ambiguous"],
    [['smoke', '--length', '0'], '--length takes a number above 0, not "0"'],
    [['smoke', '--driver', 'wrk'], '--driver takes k6 or own, not "wrk"'],
  ])('refuses %j in one line', (argv, message) => {
    expect(() => readArgs(argv)).toThrow(UsageError)
    expect(() => readArgs(argv)).toThrow(message)
  })
})

describe('the scenarios', () => {
  test('are those that were asked for', () => {
    const names = ['smoke', 'steady', 'ramp', 'spike', 'soak', 'slow-upstream', 'dead-upstream', 'stampede', 'overload']
    expect(Object.keys(scenarios)).toEqual(names)
  })

  test.each(Object.entries(scenarios) as [string, Scenario][])(
    '%s has conditions that can be judged',
    (_, scenario) => {
      const measured = measuredOf([second(10, 5)], [interval(0.5)], 1)
      const verdicts = judge(scenario.thresholds, measured)
      expect(verdicts.length).toBeGreaterThan(0)
      expect(verdicts.every(({ value }) => Number.isFinite(value))).toBe(true)
    },
  )

  test('the route of several calls is a sound config', () => {
    const config = partsConfig({ calls: 3, delayMs: 0 }, 'http://127.0.0.1:1')
    const env = { PORT: '2', OPS_PORT: '3', LOOPS: '2' }
    expect(parse(config, { file: '/gateway.yaml', env }).faults).toEqual([])
    expect(config.match(/call: GET origin \/a\d/g)?.length).toBe(3)
  })
})

describe('the gateway’s numbers', () => {
  test('are read from Prometheus’ text', () => {
    const text = '# HELP x y\n# TYPE x counter\nx_total{a="b",c="d\\"e, f=\\"g\\"\\\\"} 3\nplain 0.5\nbig +Inf\n'
    expect(readMetrics(text)).toEqual([
      { name: 'x_total', labels: { a: 'b', c: 'd"e, f="g"\\' }, value: 3 },
      { name: 'plain', labels: {}, value: 0.5 },
      { name: 'big', labels: {}, value: NaN },
    ])
  })

  const scrape = (active: number, idle: number, buckets: readonly number[], counts: readonly number[]) =>
    `nodejs_eventloop_time_seconds_total{loop="0",nodejs_eventloop_state="active"} ${active}
nodejs_eventloop_time_seconds_total{loop="0",nodejs_eventloop_state="idle"} ${idle}
nodejs_eventloop_time_seconds_total{loop="control",nodejs_eventloop_state="idle"} ${idle * 100}
oneloop_loop_delay_seconds_bucket{loop="0",le="0.001"} ${buckets[0]}
oneloop_loop_delay_seconds_bucket{loop="0",le="0.01"} ${buckets[1]}
oneloop_loop_delay_seconds_bucket{loop="0",le="+Inf"} ${buckets[2]}
oneloop_requests_total{http_route="a",result="ok"} 100
oneloop_requests_total{http_route="a",result="overloaded"} ${counts[0]}
oneloop_requests_total{http_route="b",result="connection_limit_reached"} ${counts[0]}
oneloop_missing_total{http_route="a",error_type="x"} ${counts[1]}
http_client_request_duration_seconds_count{upstream="u"} ${counts[2]}
oneloop_loop_time_seconds_total{http_route="a",phase="parse"} ${active / 2}
oneloop_loop_time_seconds_total{http_route="b",phase="parse"} ${active / 4}
process_memory_usage_bytes 104857600
`

  test('tell what has happened since the last look', () => {
    let now = 0
    const read = watcher(() => now)
    read(scrape(10, 5, [0, 0, 0], [7, 7, 7]))
    now = 1200
    expect(read(scrape(10.8, 5.2, [50, 100, 100], [9, 10, 37]))).toEqual({
      utilisation: expect.closeTo(0.8),
      delayMs: expect.closeTo(9.82),
      shed: 4,
      missing: 3,
      calls: 30,
      ledger: { parse: expect.closeTo(0.5) },
      rssMiB: 100,
    })
  })

  test('are those of the look before when nothing has changed, and bounded by the last edge', () => {
    const read = watcher()
    const text = scrape(10, 5, [0, 0, 10], [0, 0, 0])
    const { utilisation } = read(text)
    expect(read(text)).toMatchObject({ utilisation, delayMs: 10, shed: 0, ledger: {} })
  })
})

describe('the thresholds', () => {
  const seconds = [second(90, 10, { 503: 10 }), second(50, 2000, {}, { prompt: 0, dropped: 5, offered: 55 })]
  const intervals = [interval(0.2, { missing: 3 }), interval(0.8, { shed: 4, calls: 10 })]
  const measured = measuredOf(seconds, intervals, 2)

  test.each([
    [{ http_req_failed: ['rate<0.07'] }, 10 / 150, true],
    [{ http_req_failed: ['rate<0.06'] }, 10 / 150, false],
    [{ dropped_iterations: ['count==0'] }, 5, false],
    [{ prompt: ['rate>=0.5'] }, 90 / 155, true],
    [{ loop_utilisation: ['avg<=0.5'] }, 0.5, true],
    [{ loop_utilisation: ['max<0.8'] }, 0.8, false],
    [{ loop_utilisation: ['p(50)<0.3'] }, 0.2, true],
    [{ shed: ['rate<3'] }, 2, true],
    [{ missing: ['count>0'] }, 3, true],
    [{ upstream_calls: ['count==10'] }, 10, true],
  ])('%j', (thresholds, value, met) => {
    expect(judge(thresholds, measured)).toEqual([expect.objectContaining({ value: expect.closeTo(value), met })])
  })

  test('of latencies are of all of them', () => {
    const [med, p99] = judge({ http_req_duration: ['med<12', 'p(99)<1000'] }, measured)
    expect(med).toMatchObject({ met: true })
    expect(p99).toMatchObject({ met: false })
  })

  test.each([
    { shed: ['med<1'] },
    { prompt: ['count<1'] },
    { missing: ['count is 0'] },
    { http_req_duration: ['avg<1'] },
  ])('what is no condition of that metric is told: %j', (thresholds) => {
    expect(() => judge(thresholds, measured)).toThrow('has no condition like')
  })
})

describe('the tally', () => {
  test('sets both sides beside each other, second by second', () => {
    const points = pointsOf([second(10, 5), second(20, 50, { 503: 2 })], [interval(0.1), interval(0.9)], 2)
    expect(points.map(({ offered, failed, utilisation }) => [offered, failed, utilisation])).toEqual([
      [10, 0, 0.1],
      [22, 2, 0.9],
    ])
    expect(points[1]!.p99Ms! / 50).toBeCloseTo(1, 1)
  })

  test('a long run has a point for several seconds, which are rates all the same', () => {
    const points = pointsOf(
      Array.from({ length: 600 }, () => second(10, 5)),
      Array.from({ length: 600 }, () => interval(0.5, { ledger: { parse: 0.1 } })),
      600,
    )
    expect(points.length).toBe(200)
    expect(points[1]).toMatchObject({ second: 3, offered: 10, utilisation: 0.5, ledger: { parse: 0.1 } })
  })

  test('a second in which nothing was answered has no latency', () => {
    expect(pointsOf([second(0, 0, { timeout: 3 })], [interval(1)], 1)[0]).toMatchObject({ p50Ms: null, failed: 3 })
  })

  test('a step of a ramp is all of a phase but its first second', () => {
    const phases = [0, 1].map(() => ({ seconds: 3, from: 1, to: 1 }))
    const seconds = [99, 10, 10, 99, 20, 22].map((count) => second(count, 5))
    const intervals = [1, 0.1, 0.1, 1, 0.3, 0.3].map((share) => interval(share))
    expect(stepsOf(phases, seconds, intervals)).toMatchObject([
      { offered: 10, good: 10, utilisation: 0.1 },
      { offered: 21, good: 21, utilisation: 0.3 },
    ])
  })

  test('sums up what went wrong by its kind', () => {
    const seconds = [second(1, 5, { 503: 2 }), second(1, 5, { 503: 1, timeout: 1 }, { dropped: 3 })]
    expect(totalsOf(seconds, [interval(0.2), interval(0.4)], 2)).toMatchObject({
      failed: { 503: 3, timeout: 1, dropped: 3 },
      utilisation: 0.3,
      utilisationMax: 0.4,
    })
  })
})

test('what k6 writes is summed up by the second, less what only watches', async () => {
  const point = (metric: string, ms: number, value: number, tags: object = { scenario: 'load', status: '200' }) =>
    JSON.stringify({ type: 'Point', metric, data: { time: new Date(1e12 + ms).toISOString(), value, tags } })
  const seconds = await readPoints([
    JSON.stringify({ type: 'Metric', metric: 'http_req_duration', data: { name: 'http_req_duration' } }),
    point('http_req_duration', 0, 5),
    point('http_req_waiting', 0, 5),
    point('http_req_duration', 1, 5, { scenario: 'watch', status: '200' }),
    point('http_req_duration', 10, 1500),
    point('partial', 10, 1, { scenario: 'load' }),
    point('http_req_duration', 1500, 7, { scenario: 'load', status: '503' }),
    point('http_req_duration', 1500, 0, { scenario: 'load', status: '0', error_code: '1050' }),
    point('dropped_iterations', 1600, 4, { scenario: 'load' }),
  ])
  expect(seconds).toMatchObject([
    { offered: 2, good: 2, prompt: 1, partial: 1, failed: {}, dropped: 0, answered: 2 },
    { offered: 6, good: 0, failed: { 503: 1, 1050: 1 }, dropped: 4, answered: 1 },
  ])
})
