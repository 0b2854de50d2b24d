import type { Ask } from '../drive/play.ts'
import type { Phase } from '../drive/schedule.ts'
import type { Scenario } from './scenario.ts'

const even = (rate: number, seconds: number): Phase => ({ seconds, from: rate, to: rate })

const get = (path: string, weight = 1): Ask => ({ method: 'GET', path, weight })
const list: Ask = { method: 'POST', path: '/v1/countries', body: '{"codes":["NO","SE","JP"],"lang":"es"}', weight: 1 }
/** What a screen or two ask for: from three to a dozen calls each. */
const demo = [get('/v1/countries/NO?lang=fr', 4), get('/v1/compare/NO/SE', 2), list, get('/v1/regions/Europe')]
/** Only what asks `cities`, the upstream that fails, for a part that it can do without. */
const capitals = [get('/v1/countries/NO?lang=fr'), get('/v1/compare/NO/SE')]

const whole = { dropped_iterations: ['count==0'] } as const

/** Every load run by its name. */
export const scenarios = {
  smoke: {
    about: 'fifty requests a second for ten seconds: does all of it work?',
    gateway: 'demo',
    mix: demo,
    rates: 'requests',
    phases: [even(50, 10)],
    thresholds: {
      ...whole,
      // A busy machine may stop for longer than an upstream's timeout.
      http_req_failed: ['rate<0.02'],
      missing: ['count<50'],
      http_req_duration: ['p(95)<2000'],
      loop_utilisation: ['max>0'], // it is told at all
      upstream_calls: ['count>500'],
    },
  },
  steady: {
    about: 'the demo at half of what it bears, for a minute',
    gateway: 'demo',
    mix: demo,
    rates: 'shares',
    phases: [even(0.5, 60)],
    thresholds: {
      ...whole,
      http_req_failed: ['rate<0.001'],
      http_req_duration: ['p(99)<500'],
      loop_utilisation: ['avg<0.8'],
    },
  },
  ramp: {
    about: 'from a tenth of what it bears to more than that, step by step: where is the knee?',
    gateway: 'three',
    mix: [get('/parts')],
    rates: 'shares',
    phases: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1, 1.05].map((rate) => even(rate, 5)),
    knee: true,
    thresholds: whole,
  },
  spike: {
    about: 'from a tenth of what it bears to nine tenths within a second, and back',
    gateway: 'demo',
    mix: demo,
    rates: 'shares',
    phases: [even(0.1, 10), { seconds: 1, from: 0.1, to: 0.9 }, even(0.9, 10), even(0.1, 14)],
    thresholds: { ...whole, http_req_failed: ['rate<0.01'], http_req_duration: ['p(99)<2000'] },
  },
  soak: {
    about: 'six tenths of what it bears for ten minutes: does anything creep?',
    gateway: 'demo',
    mix: demo,
    rates: 'shares',
    phases: [even(0.6, 600)],
    thresholds: { ...whole, http_req_failed: ['rate<0.001'], http_req_duration: ['p(99)<1000'] },
  },
  'slow-upstream': {
    about: 'an optional upstream takes two seconds for a while: only its parts may be missing',
    gateway: 'demo',
    mix: capitals,
    rates: 'shares',
    phases: [even(0.3, 45)],
    events: [
      { second: 10, upstream: 'cities', faults: { latencyMs: 2000 } },
      { second: 25, upstream: 'cities', faults: null },
    ],
    thresholds: { ...whole, http_req_failed: ['rate<0.01'], missing: ['count>0'], http_req_duration: ['max<2500'] },
  },
  'dead-upstream': {
    about: 'an optional upstream resets every connection for a while: only its parts may be missing',
    gateway: 'demo',
    mix: capitals,
    rates: 'shares',
    phases: [even(0.3, 45)],
    events: [
      { second: 10, upstream: 'cities', faults: { reset: true } },
      { second: 25, upstream: 'cities', faults: null },
    ],
    thresholds: { ...whole, http_req_failed: ['rate<0.01'], missing: ['count>0'], http_req_duration: ['p(99)<500'] },
  },
  stampede: {
    about: 'everybody asks for the same thing, which is fresh for a second and takes a fifth of one to make',
    gateway: 'cached',
    mix: [get('/parts')],
    rates: 'requests',
    phases: [even(500, 20)],
    thresholds: { ...whole, http_req_failed: ['rate==0'], upstream_calls: ['count<30'] },
  },
  overload: {
    about: 'twice what it bears, with five calls of 20 ms each: is the rest still served?',
    gateway: 'five',
    mix: [get('/parts')],
    rates: 'shares',
    phases: [even(0.5, 10), even(2, 20), even(0.5, 15)],
    thresholds: { prompt: ['rate>0.6'] },
  },
} as const satisfies Record<string, Scenario>

/** The name of a load run. */
export type ScenarioName = keyof typeof scenarios
