import { setTimeout as pause } from 'node:timers/promises'
import { startClients } from './clients.ts'
import { startGateway, sum } from './gateway.ts'
import { startOrigin } from './origins.ts'
import { type Finding, type Scenario, atMost } from './scenario.ts'

/** What was seen at one moment, in ms from the last change of the origin. */
export interface Moment {
  readonly atMs: number
  readonly limit: number
  readonly inFlight: number
}

const servers = 32
// Long enough for what is on the way to be few of the calls in flight, and for the rate to leave all three programs most
// of their cores: a loop that is busy learns nothing of its upstream.
const meanMs = 30
// More than the whole origin bears, so that the limit is what bounds the calls.
const perSecond = Math.round((1.25 * servers * 1_000) / meanMs)
const phaseMs = 8_000
const lookMs = 100
// Issue 3.
const shrinkMs = 2_000
const returnMs = 5_000
const within = 0.2
// A limit that looks for the edge goes to and fro about it, once a second or so.
const meanOverMs = 1_000

/** The capacity of an origin halves in a step, and returns. */
export const halves: Scenario = async (say) => {
  await using origin = await startOrigin({ kind: 'servers', servers, meanMs })
  await using gateway = await startGateway(`
upstreams: { origin: { endpoints: ["${origin.url}"] } }
routes: [{ match: "GET /:n", steps: { a: { call: "GET origin /{params.n}" } } }]
`)
  await using clients = await startClients(say)

  const watch = async (lengthMs: number): Promise<Moment[]> => {
    const began = performance.now()
    const moments: Moment[] = []
    for (let atMs = 0; atMs < lengthMs; atMs = performance.now() - began) {
      const [status, { inFlight }] = await Promise.all([gateway.status(), origin.counts()])
      moments.push({ atMs: performance.now() - began, limit: sum(status, 'oneloop.calls.limit'), inFlight })
      await pause(lookMs - ((performance.now() - began) % lookMs))
    }
    return moments
  }

  const sent = clients.send([{ url: `${gateway.url}/`, perSecond }], (3 * phaseMs) / 1_000)
  say(`halves: ${perSecond} requests a second to ${servers} servers of ${meanMs} ms`)
  await watch(phaseMs)
  say(`halves: ${servers / 2} servers`)
  await origin.become({ kind: 'servers', servers: servers / 2, meanMs })
  const halved = await watch(phaseMs)
  say(`halves: ${servers} servers`)
  await origin.become({ kind: 'servers', servers, meanMs })
  const whole = await watch(phaseMs)
  await sent
  return [...settles('halved', halved, servers / 2, shrinkMs), ...settles('whole again', whole, servers, returnMs)]
}

/** Judges when the limit, or the calls in flight, have first been near a level for a second, and where they are then. */
export function settles(what: string, moments: readonly Moment[], level: number, goalMs: number): readonly Finding[] {
  const after = (['limit', 'inFlight'] as const).map((key) => settlingMs(moments, key, level))
  const limits = moments.filter(({ atMs }) => atMs > goalMs).map(({ limit }) => limit)
  const off = Math.abs(mean(limits) / level - 1) * 100
  return [
    atMost(`${what}: at ${level} after (limit ${after[0]}, in flight ${after[1]})`, Math.min(...after), goalMs, ' ms'),
    atMost('later limits are off in the mean by', off, within * 100, ' %'),
  ]
}

/** After how many ms the mean over the second before was within 20 % of a level; Infinity when it never was. */
export function settlingMs(moments: readonly Moment[], what: 'limit' | 'inFlight', level: number): number {
  const settled = moments.find(({ atMs }) => {
    if (atMs < meanOverMs) return false
    const last = moments.filter((one) => one.atMs <= atMs && one.atMs > atMs - meanOverMs)
    return Math.abs(mean(last.map((one) => one[what])) / level - 1) <= within
  })
  return settled === undefined ? Infinity : Math.round(settled.atMs)
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
