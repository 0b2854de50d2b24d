import { describe, expect, it } from 'vitest'
import { type Evidence, diagnose } from '../../../src/ops/page/diagnosis.ts'
import type { Moment, RouteRow, UpstreamRow } from '../../../src/ops/page/moment.ts'

const second: Moment = {
  at: 1_000_000,
  utilization: 0.2,
  delayP50Ms: 0.1,
  delayP99Ms: 1,
  delayMaxMs: 2,
  heapBytes: 10,
  rssBytes: 100,
  gcMs: 1,
  requests: 50,
  failed: 0,
  shed: 0,
  byRoute: {},
  byPhase: {},
}
const route: RouteRow = {
  name: 'profile',
  perSecond: 50,
  active: 1,
  p50Ms: 1,
  p95Ms: 2,
  p99Ms: 3,
  failed: 0,
  shed: 0,
  missing: 0,
  loopMs: 1,
  loopShare: 0.1,
}
const upstream: UpstreamRow = {
  name: 'countries',
  perSecond: 50,
  active: 1,
  limit: 128,
  queued: 0,
  breaker: 'closed',
  out: 0,
  endpoints: 2,
  retries: 0,
  hedges: 0,
  failed: 0,
  p50Ms: 1,
  p99Ms: 2,
  cache: {},
}
const calm: Evidence = {
  moments: [second],
  spent: [],
  routes: [route],
  upstreams: [upstream],
  blocks: [],
  heapLimitBytes: 100,
  redis: null,
}
const whose = { route: 'country-profile', upstream: '', phase: 'transform' }
const seconds = (change: Partial<Moment>, count = 5) => Array.from({ length: count }, () => ({ ...second, ...change }))

describe('diagnose', () => {
  it('says in one line that all is well', () => {
    expect(diagnose(calm)).toEqual([
      { level: 'fine', text: 'All is well: the loop is 80 % idle, 1 upstreams answer, no request was shed.' },
    ])
  })

  it('names the function and the route that have blocked the loop', () => {
    const block = { at: second.at - 500, ms: 180, over: true, whose, named: 'shape' }
    expect(diagnose({ ...calm, blocks: [block] })).toEqual([
      {
        level: 'watch',
        text: '00:16:39 the loop was blocked 180 ms by `shape` in route country-profile, transform: no other request was served meanwhile',
      },
    ])
  })

  it('says of a block that goes on for how long already, first of all', () => {
    const block = {
      at: second.at - 900,
      ms: 900,
      over: false,
      whose: { ...whose, upstream: 'countries', phase: 'parse' },
      named: null,
    }
    const [first] = diagnose({ ...calm, blocks: [block], upstreams: [{ ...upstream, out: 1 }] })
    expect(first?.level).toBe('act')
    expect(first?.text).toContain('has been blocked for 900 ms in route country-profile, parse of countries')
  })

  it('forgets a block after a minute', () => {
    const block = { at: second.at - 120_000, ms: 300, over: true, whose, named: 'shape' }
    expect(diagnose({ ...calm, blocks: [block] })[0]?.level).toBe('fine')
  })

  it('says who has a busy loop, once it was busy for some seconds', () => {
    const spent = [
      { route: 'profile', upstream: 'countries', phase: 'parse', ms: 700, arrivalMs: 0 },
      { route: 'profile', upstream: '', phase: 'respond', ms: 100, arrivalMs: 0 },
      { route: '', upstream: '', phase: 'unattributed', ms: 200, arrivalMs: 0 },
    ]
    expect(diagnose({ ...calm, spent, moments: seconds({ utilization: 0.9 }) })[0]).toEqual({
      level: 'watch',
      text: 'the loop is 90 % busy at 50 requests/s; most of it is profile, parse of countries (70 %): add a loop or a pod, or make that cheaper',
    })
    expect(diagnose({ ...calm, spent, moments: seconds({ utilization: 0.9 }, 4) })[0]?.level).toBe('fine')
  })

  const cases: [string, Partial<Evidence>, string][] = [
    ['slow turns', { moments: seconds({ delayP99Ms: 80 }) }, 'replies wait up to 80 ms for the loop'],
    ['a breaker that is open', { upstreams: [{ ...upstream, breaker: 'half_open' }] }, 'its breaker is half-open'],
    [
      'endpoints that are left out',
      { upstreams: [{ ...upstream, out: 1 }] },
      '1 of 2 endpoints of countries are left out',
    ],
    [
      'calls that wait',
      { upstreams: [{ ...upstream, queued: 7 }] },
      '7 calls wait for one of the 128 permits of countries',
    ],
    ['many retries', { upstreams: [{ ...upstream, retries: 10 }] }, '20 % of the calls to countries are made again'],
    ['a heap that is nearly full', { heapLimitBytes: 11 }, 'the heap of a data loop is nearly full'],
    ['Redis that is away', { redis: 'away' }, 'Redis is away'],
    ['requests that are shed', { routes: [{ ...route, shed: 3 }] }, 'requests are shed: profile'],
  ]
  it.each(cases)('tells of %s', (_, change, text) => {
    const said = diagnose({ ...calm, ...change })
    expect(said).toHaveLength(1)
    expect(said[0]?.text).toContain(text)
    expect(said[0]?.level).not.toBe('fine')
  })
})
