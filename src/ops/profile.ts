import type { Worker } from 'node:worker_threads'
import type { Hono } from 'hono'
import { problem } from './problem.ts'
import type { ProfileSummary } from './page/moment.ts'

/** A data loop that a profile can be taken of. */
export interface Profiled {
  readonly name: string
  /** Null while it is being replaced. */
  readonly worker: Worker | null
  /** Takes down from now on when whose work began; gives what ends that and tells it. */
  record(): () => Recorded
}

/** Whose work began when: moments in µs of the clock that profiles have, and places in `accounts`. */
export interface Recorded {
  readonly micros: readonly number[]
  readonly places: readonly number[]
  readonly accounts: readonly (readonly string[])[]
}

/** Why there is no profile. */
export interface NoProfile {
  readonly status: 400 | 409 | 503
  readonly detail: string
}

/** Takes profiles of data loops from outside, one at a time, and keeps the last. */
export interface Profiler {
  readonly list: readonly ProfileSummary[]
  take(seconds: number, why: string, loop?: string): Promise<ProfileSummary | NoProfile>
  /** Serves them, and takes one for who asks and may. */
  serve(app: Hono): void
}

interface V8Profile {
  readonly nodes: readonly { id: number; callFrame: { functionName: string; url: string } }[]
  readonly startTime: number
  readonly endTime: number
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

const mostKept = 10
const mostSeconds = 60
// V8 makes one such interval for the whole process, and finer ones slow what they look at.
const sampleIntervalMs = 1

/** Makes the profiler of the data loops. `onTaken` is told what function most of a profile was spent in. */
export function profiler(
  loops: () => readonly Profiled[],
  pause: (ms: number) => Promise<unknown>,
  onTaken: (summary: ProfileSummary, named: string | null) => void,
): Profiler {
  let kept: readonly { readonly summary: ProfileSummary; readonly text: string }[] = []
  let busy = false
  let count = 0

  async function take(seconds: number, why: string, loop?: string): Promise<ProfileSummary | NoProfile> {
    if (!(seconds >= 1 && seconds <= mostSeconds)) {
      return { status: 400, detail: `expected seconds from 1 to ${mostSeconds}` }
    }
    const one = loops().find(({ name, worker }) => worker !== null && (loop === undefined || name === loop))
    if (one === undefined || one.worker === null) {
      return {
        status: loop === undefined ? 503 : 400,
        detail: loop === undefined ? 'no data loop is running' : `no data loop "${loop}" is running`,
      }
    }
    if (busy) return { status: 409, detail: 'a profile is being taken already' }
    busy = true
    try {
      const { text, named } = await profileOf(one, one.worker, seconds * 1_000, pause)
      const summary = { id: String(++count), at: Date.now(), seconds, loop: one.name, why }
      kept = [{ summary, text }, ...kept].slice(0, mostKept)
      onTaken(summary, named)
      return summary
    } catch (error) {
      return { status: 503, detail: `the data loop could not be profiled: ${(error as Error).message}` }
    } finally {
      busy = false
    }
  }

  return {
    get list() {
      return kept.map(({ summary }) => summary)
    },
    take,
    serve(app) {
      app.post('/api/profile', async (c) => {
        const taken = await take(Number(c.req.query('seconds') ?? 5), 'asked for', c.req.query('loop'))
        return 'status' in taken ? problem(taken.status, taken.detail) : c.json(taken)
      })
      app.get('/api/profiles', (c) => c.json(kept.map(({ summary }) => summary)))
      app.get('/api/profiles/:file', (c) => {
        const found = kept.find(({ summary }) => `${summary.id}.cpuprofile` === c.req.param('file'))
        if (found === undefined) return problem(404, 'no such profile: only the last ten are kept')
        const name = `oneloop-${found.summary.loop}-${found.summary.id}.cpuprofile`
        return c.body(found.text, 200, {
          'content-type': 'application/json',
          'content-disposition': `attachment; filename="${name}"`,
        })
      })
    },
  }
}

async function profileOf(
  loop: Profiled,
  worker: Worker,
  ms: number,
  pause: (ms: number) => Promise<unknown>,
): Promise<{ text: string; named: string | null }> {
  const stop = loop.record()
  let slices: Recorded | null = null
  try {
    // Answered also while JavaScript blocks the thread; in a native call only when that returns.
    const handle = await worker.startCpuProfile({ sampleInterval: sampleIntervalMs })
    await pause(ms)
    const profile = JSON.parse(await handle.stop()) as V8Profile
    slices = stop()
    const labels = { accounts: [unnamed, ...slices.accounts], samples: labelsOf(profile, slices) }
    return { text: JSON.stringify({ ...profile, oneloop: labels }), named: mostOf(profile) }
  } finally {
    if (slices === null) stop()
  }
}

const unnamed = ['unattributed']

// V8 tells microseconds of the clock that hrtime has, but only their lower 32 bits.
const wrap = 2 ** 32

/** For each sample the place, in the accounts with the unnamed before them, of whose work was on then. */
export function labelsOf(
  { startTime, timeDeltas }: Pick<V8Profile, 'startTime' | 'timeDeltas'>,
  slices: Recorded,
): number[] {
  const first = slices.micros[0]
  if (first === undefined) return timeDeltas.map(() => 0)
  const whole = startTime < wrap ? startTime + Math.round((first - startTime) / wrap) * wrap : startTime
  let at = whole
  let place = -1
  return timeDeltas.map((delta) => {
    at += delta
    while (place + 1 < slices.micros.length && (slices.micros[place + 1] as number) <= at) place++
    return place === -1 ? 0 : (slices.places[place] as number) + 1
  })
}

/** The function of ours or of the operator's in which most samples fell; null when the loop did next to nothing. */
export function mostOf({ nodes, samples }: Pick<V8Profile, 'nodes' | 'samples'>): string | null {
  const hits = new Map<number, number>()
  for (const id of samples) hits.set(id, (hits.get(id) ?? 0) + 1)
  const named = nodes
    .filter(({ callFrame: { functionName, url } }) => functionName !== '' && url.startsWith('file:'))
    .map(({ id, callFrame }) => ({ name: callFrame.functionName, count: hits.get(id) ?? 0 }))
    .sort((one, other) => other.count - one.count)[0]
  return named === undefined || named.count < samples.length * 0.2 ? null : named.name
}
