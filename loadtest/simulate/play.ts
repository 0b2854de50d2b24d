import type { Call, Outcome } from '../../src/call/call.ts'
import { Scope } from '../../src/call/scope.ts'
import { Wheel } from '../../src/call/wheel.ts'
import { Gradient } from '../../src/policy/gradient.ts'
import { Limiter } from '../../src/policy/limiter.ts'
import { limit } from '../../src/upstream/limit.ts'
import { Clock } from './clock.ts'
import { type Jitter, unsteady } from './jitter.ts'
import { Servers, type Service } from './servers.ts'

/** What is played: calls that come at random over an upstream, and what becomes of its servers. */
export interface Play {
  readonly lengthMs: number
  readonly max: number
  readonly callsPerMs: number
  readonly servers: number
  readonly resized?: readonly { readonly at: number; readonly servers: number }[]
  readonly service: (random: () => number) => Service
  /** How far the gateway is from a machine that does nothing else; none: replies are seen as they are made. */
  readonly jitter?: Jitter
}

/** What was seen in a tenth of a second. */
export interface Moment {
  readonly at: number
  readonly limit: number
  /** How many calls were in the upstream: waiting for a server, and being served. */
  readonly inFlight: number
  readonly queued: number
  readonly working: number
  /** How many calls were refused in this time. */
  readonly refused: number
}

/** How long a moment is, in ms. */
export const momentMs = 100

// What the wheel's own timer would do every 4 ms of true time.
const tickMs = 4

const call: Call = { method: 'GET', path: '/', headers: [], body: null, accept: () => true, decode: 'raw' }
const reply: Outcome = { ok: true, status: 200, headers: {}, body: new Uint8Array() }

/** Plays calls through the true limit layer with a learned limit, in simulated time. */
export async function play(
  { lengthMs, max, callsPerMs, servers, resized = [], service, jitter }: Play,
  random: () => number,
): Promise<Moment[]> {
  const clock = new Clock()
  const wheel = new Wheel(() => clock.now)
  const gradient = new Gradient({ max })
  const limiter = new Limiter({ max: () => gradient.limit, queue: 10 * max })
  const there = jitter === undefined ? undefined : unsteady(clock, random, jitter)
  const here = jitter === undefined ? undefined : unsteady(clock, random, jitter)
  const origin = new Servers(clock, servers, service(random), there)
  const noticed = (happen: () => void): void => (here === undefined ? happen() : here(happen))
  const upstream = limit(limiter, wheel, (now, tookMs, inFlight) => gradient.sample(now, tookMs, inFlight, false))(
    () => new Promise((resolve) => origin.take(() => noticed(() => resolve(reply)))),
  )
  const moments: Moment[] = []
  let refused = 0
  const begin = (): void => {
    void upstream(call, new Scope(wheel, Infinity)).then(({ ok }) => {
      if (!ok) refused++
    })
  }
  const arrive = (): void => {
    noticed(begin)
    clock.after(-Math.log(1 - random()) / callsPerMs, arrive)
  }
  const tick = (): void => {
    wheel.advance()
    clock.after(tickMs, tick)
  }
  const look = (): void => {
    const { queued, busy: working } = origin
    moments.push({ at: clock.now, limit: gradient.limit, inFlight: limiter.busy, queued, working, refused })
    refused = 0
    clock.after(momentMs, look)
  }
  for (const { at, servers: count } of resized) clock.after(at, () => origin.resize(count))
  clock.after(0, arrive)
  clock.after(tickMs, tick)
  clock.after(momentMs, look)
  await clock.passUntil(lengthMs)
  return moments
}
