import { expect, test } from 'vitest'
import { exposition, familyOf, formOf } from '../../src/ops/prometheus.ts'
import type { Reading } from '../../src/telemetry/instruments.ts'
import { promtool } from '../support/promtool.ts'

const counter = (more: Partial<Reading>): Reading => ({
  name: 'oneloop.loop.time',
  kind: 'counter',
  unit: 's',
  description: 'Time.',
  attributes: {},
  value: 1.5,
  ...more,
})

const durations: Reading = {
  name: 'http.server.request.duration',
  kind: 'histogram',
  unit: 's',
  description: 'Time of a request.',
  attributes: { 'http.route': 'a' },
  bounds: [0.0005, 1],
  buckets: [2, 1, 4],
  value: 12.25,
}

test('a name gets its unit, and loses what Prometheus does not know', () => {
  const names = [
    ['http.server.request.duration', 'histogram', 's'],
    ['process.memory.usage', 'gauge', 'By'],
    ['nodejs.eventloop.utilization', 'gauge', '1'],
    ['oneloop.loop.utilization', 'histogram', '1'],
    ['oneloop.calls', 'counter', '{call}'],
    ['up.time_seconds', 'gauge', 's'],
  ] as const
  expect(names.map(([name, kind, unit]) => familyOf({ name, kind, unit }))).toEqual([
    'http_server_request_duration_seconds',
    'process_memory_usage_bytes',
    'nodejs_eventloop_utilization_ratio',
    'oneloop_loop_utilization',
    'oneloop_calls',
    'up_time_seconds',
  ])
})

test('all numbers of a name stand together, under what it is', () => {
  const readings = [
    counter({ attributes: { 'http.route': 'a', phase: 'bind' } }),
    counter({ name: 'oneloop.calls.active', kind: 'gauge', unit: '{call}', description: 'Calls.', value: 3 }),
    counter({ attributes: { 'http.route': 'b', phase: 'send' }, value: 0 }),
  ]
  expect(exposition(readings, 'text')).toBe(`# HELP oneloop_loop_time_seconds_total Time.
# TYPE oneloop_loop_time_seconds_total counter
oneloop_loop_time_seconds_total{http_route="a",phase="bind"} 1.5
oneloop_loop_time_seconds_total{http_route="b",phase="send"} 0
# HELP oneloop_calls_active Calls.
# TYPE oneloop_calls_active gauge
oneloop_calls_active 3
`)
})

test('OpenMetrics names families without _total, tells units, writes edges as floats, and says where it ends', () => {
  expect(exposition([counter({}), durations], 'openmetrics')).toBe(`# HELP oneloop_loop_time_seconds Time.
# TYPE oneloop_loop_time_seconds counter
# UNIT oneloop_loop_time_seconds seconds
oneloop_loop_time_seconds_total 1.5
# HELP http_server_request_duration_seconds Time of a request.
# TYPE http_server_request_duration_seconds histogram
# UNIT http_server_request_duration_seconds seconds
http_server_request_duration_seconds_bucket{http_route="a",le="0.0005"} 2
http_server_request_duration_seconds_bucket{http_route="a",le="1.0"} 3
http_server_request_duration_seconds_bucket{http_route="a",le="+Inf"} 7
http_server_request_duration_seconds_sum{http_route="a"} 12.25
http_server_request_duration_seconds_count{http_route="a"} 7
# EOF
`)
})

test('buckets add up, and the last one holds all', () => {
  const lines = exposition([durations], 'text').split('\n')
  expect(lines.filter((line) => line.includes('_bucket')).map((line) => line.replace(/^.*le=/, ''))).toEqual([
    '"0.0005"} 2',
    '"1"} 3',
    '"+Inf"} 7',
  ])
})

test('values that would end a line or a string early are escaped, and numbers that are none are written as Prometheus does', () => {
  const odd = counter({
    description: 'a "b" \\ \n c',
    attributes: { route: 'GET /x/"\\\n#' },
    value: Infinity,
  })
  const text = exposition([odd, counter({ attributes: { a: 'b' }, value: Number.NaN })], 'text')
  expect(text.split('\n')).toEqual([
    '# HELP oneloop_loop_time_seconds_total a "b" \\\\ \\n c',
    '# TYPE oneloop_loop_time_seconds_total counter',
    'oneloop_loop_time_seconds_total{route="GET /x/\\"\\\\\\n#"} +Inf',
    'oneloop_loop_time_seconds_total{a="b"} NaN',
    '',
  ])
  expect(exposition([odd], 'openmetrics')).toContain('# HELP oneloop_loop_time_seconds a \\"b\\" \\\\ \\n c\n')
  expect(promtool(['check', 'metrics'], text)).toBe('')
})

test('promtool finds no fault, and would', () => {
  expect(promtool(['check', 'metrics'], exposition([counter({}), durations], 'text'))).toBe('')
  expect(promtool(['check', 'metrics'], 'oneloop_calls{a="b} 1\n')).not.toBe('')
})

test('the form is what Accept likes best, and text where it does not care', () => {
  const accepts = {
    'application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1': 'openmetrics',
    'application/openmetrics-text': 'openmetrics',
    'text/plain;version=0.0.4;q=0.9, application/openmetrics-text;q=0.3': 'text',
    'application/openmetrics-text;q=0': 'text',
    'text/html,*/*;q=0.8': 'text',
    '': 'text',
  }
  expect(Object.keys(accepts).map(formOf)).toEqual(Object.values(accepts))
  expect(formOf(undefined)).toBe('text')
})
