import { seeded } from '../upstreams/latency.ts'
import { type Jitter, latenessMs } from './jitter.ts'
import { type Moment, type Play, momentMs, play } from './play.ts'
import { type Service, exponential } from './servers.ts'

/** One line of the table: what was asked, what came out, and whether it is good enough. */
export interface Finding {
  readonly goal: string
  readonly found: string
  readonly met: boolean
}

/** Something that an upstream goes through, and what is expected of the limit meanwhile. */
export interface Scenario {
  readonly name: string
  readonly play: Play
  readonly judge: (moments: readonly Moment[]) => readonly Finding[]
}

const meanMs = 20
const servers = 64
const capacity = servers / meanMs
const usual = (random: () => number): Service => exponential(meanMs, random)

// Issue 3: settles within 2 s and returns within 5 s, within 20 %.
const shrinkMs = 2_000
const returnMs = 5_000
const within = 0.2
// A limit that looks for the edge goes to and fro about it, once a second or so.
const meanOverMs = 1_000

/** Half of the servers go after 8 s and come back after 16 s, while calls come for half as many again as there are. */
function halving(name: string, servers: number, meanMs: number, jitter?: Jitter): Scenario {
  // Little's law: what is on the way, or not noticed yet, is in flight as well, but does not keep a server busy.
  const late = jitter === undefined ? 0 : latenessMs(jitter)
  const level = (count: number): number => Math.round((count * (meanMs + 4 * late)) / (meanMs + late))
  return {
    name,
    play: {
      lengthMs: 24_000,
      max: 4 * servers,
      callsPerMs: (1.5 * servers) / meanMs,
      servers,
      resized: [
        { at: 8_000, servers: servers / 2 },
        { at: 16_000, servers },
      ],
      service: (random) => exponential(meanMs, random),
      ...(jitter && { jitter }),
    },
    judge: (moments) => [
      ...settles(moments, 'halved', 8_000, 16_000, servers / 2, shrinkMs, level(servers / 2)),
      ...settles(moments, 'returned', 16_000, 24_000, servers, returnMs, level(servers)),
    ],
  }
}

const besideOthers: Jitter = { lateMs: 0.5, runsMs: 300, pauseMs: 10 }

/** All that is simulated. */
export const scenarios: readonly Scenario[] = [
  halving('capacity halves, and returns', servers, meanMs),
  halving('the same beside other programs', servers, meanMs, besideOthers),
  halving('a smaller upstream beside other programs', 32, 30, besideOthers),
  {
    name: 'light load',
    play: { lengthMs: 20_000, max: 256, callsPerMs: capacity / 10, servers, service: usual },
    judge: (moments) => [
      atMost('refused', total(moments, 'refused'), 0, 'calls'),
      atLeast('lowest limit', Math.min(...moments.map(({ limit }) => limit)), 256),
    ],
  },
  {
    name: 'constant service, no bound',
    play: { lengthMs: 20_000, max: 256, callsPerMs: 16, servers: Infinity, service: () => () => meanMs },
    // It is tried once, after ten seconds, and given back.
    judge: (moments) => [
      atLeast(
        '% of the time at 256',
        percent(moments.filter(({ limit }) => limit === 256).length / moments.length),
        97,
      ),
    ],
  },
  {
    name: 'service time doubles for all',
    play: {
      lengthMs: 20_000,
      max: 256,
      callsPerMs: capacity * 1.5,
      servers,
      service: (random) => (now) => exponential(now < 10_000 ? meanMs : 2 * meanMs, random)(now),
    },
    judge: (moments) => settles(moments, 'slower', 10_000, 20_000, servers, returnMs),
  },
]

/** Plays a scenario; the same seed gives the same findings. */
export async function simulate({ play: played, judge }: Scenario, seed: number): Promise<readonly Finding[]> {
  return judge(await play(played, seeded(seed)))
}

function settles(
  moments: readonly Moment[],
  what: string,
  from: number,
  to: number,
  count: number,
  boundMs: number,
  level = count,
): Finding[] {
  const phase = moments.filter(({ at }) => at > from && at <= to)
  const after = phase.filter(({ at }) => at > from + boundMs)
  return [
    atMost(`${what}: limit comes to ${level} after`, settlingMs(phase, 'limit', level), boundMs, 'ms'),
    atMost(`${what}: in-flight comes there after`, settlingMs(phase, 'inFlight', level), boundMs, 'ms'),
    atLeast(`${what}: % of the later seconds that it stays there`, percent(near(after, 'limit', level)), 80),
    // As many waiting as there are servers wait for one service time.
    atMost(`${what}: mean queue in the upstream`, Math.round(total(after, 'queued') / after.length), count, 'calls'),
    atLeast(`${what}: % of the upstream in use`, percent(total(after, 'working') / after.length / count), 85),
  ]
}

/** After how many ms the mean over a second is within 20 % of a level; Infinity when it never is. */
export function settlingMs(phase: readonly Moment[], what: 'limit' | 'inFlight', level: number): number {
  const first = distances(phase, what, level).findIndex((distance) => distance <= within)
  return first === -1 ? Infinity : first * momentMs + meanOverMs
}

function near(moments: readonly Moment[], what: 'limit' | 'inFlight', level: number): number {
  const all = distances(moments, what, level)
  return all.filter((distance) => distance <= within).length / all.length
}

/** How far the mean over each second, beginning at each moment, is from a level, as a share of it. */
function distances(moments: readonly Moment[], what: 'limit' | 'inFlight', level: number): number[] {
  const span = meanOverMs / momentMs
  const last = moments.length - span
  const means = moments.slice(0, last + 1).map((_, i) => total(moments.slice(i, i + span), what) / span)
  return means.map((mean) => Math.abs(mean / level - 1))
}

function percent(share: number): number {
  return Math.round(100 * share)
}

function total(moments: readonly Moment[], what: keyof Moment): number {
  return moments.reduce((sum, moment) => sum + moment[what], 0)
}

function atMost(goal: string, found: number, bound: number, unit: string): Finding {
  return { goal: `${goal}, at most ${bound} ${unit}`, found: `${found} ${unit}`, met: found <= bound }
}

function atLeast(goal: string, found: number, bound: number): Finding {
  return { goal: `${goal}, at least ${bound}`, found: `${found}`, met: found >= bound }
}
