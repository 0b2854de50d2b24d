import { type Status, sum } from '../resilience/gateway.ts'
import { type Sample, growthOf } from './memory.ts'
import type { Held } from './probe.ts'
import type { Tally } from './tally.ts'

/** All that is known when a soak is over and everything should be quiet. */
export interface Outcome {
  readonly tally: Tally
  readonly status: Status
  /** Connections on which the origins still wait for the gateway. */
  readonly busy: number
  readonly held: Pick<Held, 'alarms' | 'scopes'>
  /** Of as many requests at once as there are permits, those that were answered well. */
  readonly permits: { readonly asked: number; readonly had: number }
  readonly exitStatus: number | null
  /** Memory over the run; null: it was too short to say. */
  readonly samples: readonly Sample[] | null
}

// What behaviour.md answers faults of an upstream with; 500 and 302 are the origin's own, on the forward route.
const expected = new Set([200, 302, 429, 500, 502, 503, 504])
// Issue 3 asks for a flat heap; this much is what the young generation and the allocator vary by.
const mostGrowth = 0.2

/** Says all that is amiss, a line each. */
export function violations(outcome: Outcome): string[] {
  const { tally, status, busy, held, permits, exitStatus, samples } = outcome
  const counted = sum(status, 'oneloop.requests')
  const cancelled = sum(status, 'oneloop.requests', { result: 'cancelled' })
  const bugs = ['proxy_internal_error', 'transform_error']
  const internal = bugs.reduce(
    (all, name) =>
      all + sum(status, 'oneloop.requests', { result: name }) + sum(status, 'oneloop.calls', { 'error.type': name }),
    0,
  )
  const odd = Object.keys(tally.statuses).filter((one) => !expected.has(Number(one)))
  const deaths = status.loops.reduce((all, loop) => all + loop.deaths, 0)
  return [
    ...Object.entries(tally.lost).map(([what, count]) => `${count} requests had no answer (${what})`),
    ...when(tally.open, 'requests have not ended'),
    ...when(tally.brokenSteps, 'answers of steps were broken off'),
    ...when(tally.foreign, 'answers held what was not asked for'),
    ...odd.map((one) => `${tally.statuses[Number(one)]} answers had the status ${one}`),
    ...(counted === tally.sent ? [] : [`the gateway counted ${counted} requests, the clients ${tally.sent}`]),
    ...when(Math.max(0, cancelled - tally.left), 'more requests were counted as cancelled than clients have left'),
    ...when(internal, 'requests or calls met a bug of the gateway'),
    ...when(sum(status, 'http.server.active_requests'), 'requests are active when all is quiet'),
    ...when(sum(status, 'oneloop.calls.active'), 'calls are active when all is quiet'),
    ...when(busy, 'connections to the origins are in use when all is quiet'),
    ...when(held.alarms, 'alarms are set when all is quiet'),
    ...when(held.scopes, 'scopes are held when all is quiet'),
    ...when(permits.asked - permits.had, `of ${permits.asked} permits are gone`),
    ...when(deaths, 'data loops have died'),
    ...(exitStatus === 0 ? [] : [`the gateway ended with status ${exitStatus}`]),
    ...(samples === null ? [] : [...grown(samples, 'rssBytes'), ...grown(samples, 'heapBytes')]),
  ]
}

function when(count: number, what: string): string[] {
  return count === 0 ? [] : [`${count} ${what}`]
}

function grown(samples: readonly Sample[], what: 'rssBytes' | 'heapBytes'): string[] {
  const { share } = growthOf(samples, what)
  // Written so that no figure at all is a violation too.
  return share <= mostGrowth ? [] : [`${what} has grown by ${Math.round(share * 100)} %`]
}
