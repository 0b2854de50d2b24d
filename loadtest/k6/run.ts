/**
 * Any scenario, for k6: `npm run loadtest -- NAME` starts it and says in PLAY what is to be sent.
 *
 * A second scenario asks the gateway once a second how its loop is doing, so that k6's own summary shows that beside
 * the latencies, and thresholds can speak of it.
 */
import http from 'k6/http'
import { Counter, Rate, Trend } from 'k6/metrics'
import type { Options, RampingArrivalRateScenario } from 'k6/options'
import type { Told } from '../play/k6.ts'
import { watcher } from '../play/watch.ts'

const { url, opsUrl, mix, phases, thresholds } = JSON.parse(__ENV['PLAY'] ?? '{}') as Told
const seconds = phases.reduce((sum, phase) => sum + phase.seconds, 0)
const heaviest = Math.max(...phases.flatMap(({ from, to }) => [from, to]))
const total = mix.reduce((sum, { weight }) => sum + weight, 0)

const utilisation = new Trend('loop_utilisation')
const delay = new Trend('loop_delay', true)
const shed = new Counter('shed')
const missing = new Counter('missing')
const calls = new Counter('upstream_calls')
const partial = new Counter('partial')
const prompt = new Rate('prompt')

/** A jump between phases is a stage that takes no time. */
const load: RampingArrivalRateScenario = {
  executor: 'ramping-arrival-rate',
  exec: 'ask',
  startRate: Math.round(phases[0]?.from ?? 0),
  timeUnit: '1s',
  preAllocatedVUs: 64,
  maxVUs: Math.max(64, Math.min(4000, Math.ceil(heaviest))),
  stages: phases.flatMap(({ seconds: length, from, to }) => [
    { target: Math.round(from), duration: '0s' },
    { target: Math.round(to), duration: `${length}s` },
  ]),
  gracefulStop: '10s',
}

export const options: Options = {
  scenarios: {
    load,
    watch: {
      executor: 'constant-arrival-rate',
      exec: 'watch',
      rate: 1,
      timeUnit: '1s',
      duration: `${seconds}s`,
      // The one VU remembers what it saw last.
      preAllocatedVUs: 1,
      maxVUs: 1,
    },
  },
  thresholds: Object.fromEntries(
    Object.entries(thresholds).map(([metric, conditions]) => [
      metric.startsWith('http_') ? `${metric}{scenario:load}` : metric,
      [...conditions],
    ]),
  ),
  summaryTrendStats: ['avg', 'med', 'p(90)', 'p(99)', 'max'],
  discardResponseBodies: true,
}

/** Sends one request of the mix. */
export function ask(): void {
  let left = Math.random() * total
  const chosen = mix.find(({ weight }) => (left -= weight) < 0) ?? mix[0]
  if (chosen === undefined) return
  const { method, path, body } = chosen
  const response = http.request(method, url + path, body ?? null, {
    headers: body === undefined ? {} : { 'content-type': 'application/json' },
    tags: { name: `${method} ${path}` },
    timeout: '10s',
  })
  const good = response.status >= 200 && response.status < 300
  prompt.add(good && response.timings.duration <= 1000)
  if (good && response.headers['Oneloop-Missing'] !== undefined) partial.add(1)
}

const read = watcher()
let first = true

/** Asks the gateway how it is doing. */
export function watch(): void {
  const { body } = http.get(`${opsUrl}/metrics`, { responseType: 'text' })
  const interval = read(String(body))
  if (first) return void (first = false) // what was counted before the run
  utilisation.add(interval.utilisation)
  delay.add(interval.delayMs)
  shed.add(interval.shed)
  missing.add(interval.missing)
  calls.add(interval.calls)
}
