import { setTimeout } from 'node:timers/promises'
import type { Hono } from 'hono'
import type { Config } from '../config/schema.ts'
import { type Attributes, type Instruments, type Reading, current } from '../telemetry/instruments.ts'
import type { Kept } from '../telemetry/record.ts'
import { standingOf } from '../telemetry/standing.ts'
import { blockWatch } from './blocks.ts'
import type { Seen, Watched } from './observe.ts'
import { servePage } from './page/assets.ts'
import { diagnose } from './page/diagnosis.ts'
import { live } from './page/live.ts'
import type { Now } from './page/moment.ts'
import { presenter } from './page/present.ts'
import { type Profiled, profiler } from './profile.ts'

/** A data loop as the dashboard looks at it. */
export type Shown = Watched & Profiled & { readonly instruments: Instruments }

/** What the dashboard shows of. */
export interface Ground {
  readonly config: () => Config
  readonly revision: () => string
  readonly version: string
  readonly state: () => string
  readonly loops: () => readonly Shown[]
  readonly readings: () => readonly Reading[]
  readonly recent: () => readonly Kept[]
  /** Says that a loop was blocked, for the log. */
  readonly tell: (message: string, fields: object) => void
}

// A loop that is blocked for the shortest time that counts is looked at a few times meanwhile.
const looksPerBlock = 4
const profileS = 2
// A profile slows the loop down: one that is blocked again and again is known by the first.
const betweenProfilesMs = 60_000

/** Makes the page and what it lives from. `second` is to be called once a second with what was seen. */
export function dashboard(ground: Ground) {
  const present = presenter()
  const feed = live(ground.recent)
  const startedAt = Date.now() - process.uptime() * 1_000
  const { blocked: blockedMs } = ground.config().telemetry
  let profiledAt = -Infinity
  const blocks = blockWatch(blockedMs, {
    blocked(loop) {
      if (performance.now() - profiledAt < betweenProfilesMs) return
      profiledAt = performance.now()
      void profiles.take(profileS, 'the loop was blocked', loop)
    },
  })
  const profiles = profiler(
    ground.loops,
    (ms) => setTimeout(ms),
    (summary, named) => {
      if (named !== null && summary.why !== 'asked for') blocks.name(named)
      ground.tell('profiled a data loop', { ...summary, mostly: named })
    },
  )
  setInterval(() => look(ground.loops(), blocks), blockedMs / looksPerBlock).unref()

  return {
    kept: (kept: readonly Kept[]): void => feed.kept(kept),
    second(seen: Seen): void {
      const config = ground.config()
      const endpoints = Object.fromEntries(
        Object.entries(config.upstreams).map(([name, upstream]) => [name, upstream.endpoints.length]),
      )
      const routes = config.routes.map(({ name }) => name)
      const shown = present(seen, ground.readings(), {
        routes,
        endpoints,
        redis: (config.cache?.redis ?? null) !== null,
      })
      if (shown === null) return
      const { moment, spent, routes: routeRows, upstreams, redis, sockets } = shown
      const heapLimitBytes = Math.max(0, ...seen.loops.map((loop) => loop.heapLimitBytes))
      const moments = [...feed.moments, moment]
      const now: Now = {
        moment,
        process: {
          state: ground.state(),
          revision: ground.revision(),
          version: ground.version,
          startedAt,
          loops: ground.loops().map(({ name, listening, deaths }) => ({ name, listening, deaths })),
          sockets,
          redis,
          control: seen.control.utilization,
          heapLimitBytes,
        },
        spent,
        routes: routeRows,
        upstreams,
        diagnosis: diagnose({
          moments,
          spent,
          routes: routeRows,
          upstreams,
          blocks: blocks.blocks,
          heapLimitBytes,
          redis,
        }),
        profiles: profiles.list,
      }
      feed.second(now)
    },
    serve(app: Hono): void {
      servePage(app)
      feed.serve(app)
      profiles.serve(app)
    },
  }
}

/** Looks at each loop from outside, by what its ledger has in shared memory. */
function look(loops: readonly Shown[], blocks: ReturnType<typeof blockWatch>): void {
  for (const { name, probe, listening, instruments } of loops) {
    if (probe === null || !listening) continue
    const now = performance.timeOrigin + performance.now()
    const { values } = instruments
    const sinceMs = (values[current.origin] as number) + (values[current.since] as number)
    const whose = whoseOf(standingOf(instruments).account)
    blocks.look(name, { idleMs: probe.utilization().idle, sinceMs, whose }, now)
  }
}

function whoseOf(attributes: Attributes | null) {
  if (attributes === null) return null
  const { 'http.route': route = '', upstream = '', phase = '' } = attributes
  return { route, upstream, phase }
}
