import { createServer } from 'node:net'
import { availableParallelism } from 'node:os'
import { setFlagsFromString } from 'node:v8'
import { Worker } from 'node:worker_threads'
import { ask } from './ask.ts'
import type { Purge } from './cache/store.ts'
import { Changeover, type Changing, StartFault } from './changeover.ts'
import type { Config } from './config/schema.ts'
import type { FromLoop, LoopData, ToLoop } from './loop.ts'
import { type Probe, workerProbe } from './ops/probe.ts'
import type { Recorded } from './ops/profile.ts'
import { record } from './ops/recording.ts'
import { seriesOfConfig } from './series.ts'
import { Instruments, type Reading } from './telemetry/instruments.ts'
import type { Line } from './telemetry/log.ts'
import { isActiveRequests } from './telemetry/meters.ts'
import type { Batch } from './telemetry/queue.ts'
import type { Kept } from './telemetry/record.ts'
import { Slices } from './telemetry/slices.ts'
import { Rest, type Standing, namedIn, standingOf } from './telemetry/standing.ts'
import { isRedisUp } from './telemetry/stores.ts'

/** What the supervisor tells of what happens; the messages are for the log. */
export interface Events {
  log(level: 'info' | 'warn' | 'error', message: string, fields?: object): void
  /** Takes lines that a data loop has made. */
  lines(batch: Batch<Line>): void
  /** Takes the traces of requests that are kept. */
  traces(batch: Batch<Kept>): void
}

/** How the process is doing, for health checks and whoever asks. */
export interface Status {
  readonly state: 'starting' | 'serving' | 'draining' | 'stopped'
  readonly ready: boolean
  /** Where clients are served. */
  readonly port: number
  readonly loops: readonly { readonly listening: boolean; readonly deaths: number }[]
  /** How many earlier configs have requests under way. */
  readonly draining: number
  /** What it does without for now, though it serves: `redis`. */
  readonly degraded: readonly string[]
}

/** A data loop's thread as it is now, for whoever watches it from outside. */
export interface Thread {
  readonly name: string
  /** Null while it is being replaced. */
  readonly worker: Worker | null
  readonly instruments: Instruments
  /** Takes down from now on when whose work began; gives what ends that and tells it. */
  record(): () => Recorded
  readonly probe: Probe | null
  readonly listening: boolean
  readonly deaths: number
}

interface Loop extends Changing {
  readonly slices: Slices
  record(): ReturnType<typeof record>
  readonly name: string
  instruments: Instruments
  worker: Worker | null
  readonly rest: Rest
  probe: Probe | null
  listening: boolean
  /** Whether it was told to end, so that its end is no death. */
  ending: boolean
  deaths: number
  startedAt: number
}

// What a request makes is garbage soon after: with more room for the young, fewer of them are still alive when
// they are collected. Measured at fan-out 3; it is used only under load.
const maxYoungGenerationSizeMb = 32
// V8 would, having seen a few things live long while a loop starts, make all of their kind among the old: with each
// scope and alarm there, what a request makes is kept until the next full collection, and young ones take three times
// as long.
setFlagsFromString('--no-allocation-site-pretenuring')

// A loop that dies again and again at once would otherwise take a CPU to start it.
const firstPauseMs = 100
const longestPauseMs = 5_000
// Having lived this long, a loop's death is taken for an accident and it is replaced at once.
const soundMs = 10_000
// After the drain has begun, a connection silent for this long is taken not to be in use.
const quietMs = 1_000
// Kubernetes kills after 30 s; what is not done by then would be cut by it, uncounted.
const leaveMs = 25_000
// What a purge may take that looks through all keys of a large Redis.
const purgeMs = 30_000
// However long it serves on before: who raises `drain` raises what Kubernetes waits.
const leastDrainMs = 5_000

/** Runs the data loops from outside: starts them, replaces those that die, drains them in the end. */
export class Supervisor {
  readonly #events: Events
  readonly #loops: Loop[]
  readonly #changeover: Changeover
  #state: Status['state'] = 'starting'
  #port: number

  constructor(config: Config, events: Events) {
    this.#events = events
    this.#port = config.listen.port
    const series = seriesOfConfig(config)
    this.#loops = loopNames(config).map((name) => loopOf(name, new Instruments(series)))
    this.#changeover = new Changeover(config, this.#loops)
  }

  /** Starts all loops; settles when all listen. Throws a StartFault when one cannot, with none left running. */
  async start(): Promise<void> {
    if (this.#loops.length > 1) {
      this.#port = await freePort(this.#changeover.config.listen.host, this.#port)
    }
    try {
      // The first alone: it finds the port when any will do, and tells a fault once.
      for (const loop of this.#loops) await this.#begin(loop)
    } catch (error) {
      await Promise.all(this.#loops.map(async ({ worker }) => worker?.terminate()))
      throw error
    }
    this.#state = 'serving'
  }

  /**
   * Serves by another config from now on; where it listens and with how many loops stays as it is. Throws a StartFault
   * when that cannot be, and then the config stays.
   */
  async reload(config: Config): Promise<void> {
    if (this.#state !== 'serving') throw new StartFault(`it is ${this.#state}`)
    await this.#changeover.to(config)
  }

  /** Tells how the process is doing. */
  status(): Status {
    const loops = this.#loops.map(({ listening, deaths }) => ({ listening, deaths }))
    const ready = this.#state === 'serving' && loops.some(({ listening }) => listening)
    const { draining } = this.#changeover
    const degraded = this.#isWithoutRedis() ? ['redis'] : []
    return { state: this.#state, ready, port: this.#port, loops, draining, degraded }
  }

  /** The config that is served. */
  get config(): Config {
    return this.#changeover.config
  }

  /** Gives the threads of the data loops. */
  threads(): readonly Thread[] {
    return this.#loops
  }

  /** Tells what each data loop is at, also while it is stuck in it, and how long it was active and idle in its life. */
  standing(): (Standing & { readonly activeMs: number; readonly idleMs: number })[] {
    return this.#loops.map(({ instruments, worker }) => {
      const { active = 0, idle = 0 } = worker?.performance.eventLoopUtilization() ?? {}
      return { ...standingOf(instruments), activeMs: active, idleMs: idle }
    })
  }

  #isWithoutRedis(): boolean {
    if (this.#changeover.config.cache.redis === null) return false
    return this.#loops.some(({ listening, instruments }) => listening && instruments.sum(isRedisUp) === 0)
  }

  /** Reads all numbers, summed over the loops. */
  read(): Reading[] {
    for (const { worker, rest, instruments } of this.#loops) {
      if (worker !== null) rest.look(instruments, worker.performance.eventLoopUtilization().active)
    }
    const [first, ...others] = this.#loops.map(({ instruments }) => instruments)
    return first?.read(others) ?? []
  }

  /**
   * Stops: not ready at once, serving on for `serveMs`, else as the config has it, while the world notices, then closing each connection after its
   * next response. Gives the number of requests that were cut in the end.
   */
  async drain({ serveMs = this.#changeover.config.listen.drain, idleMs = quietMs } = {}): Promise<number> {
    this.#state = 'draining'
    await new Promise((resolve) => setTimeout(resolve, serveMs))
    const withinMs = Math.max(leaveMs - serveMs, leastDrainMs)
    const counts = this.#loops.map((loop) => this.#end(loop, { type: 'drain', quietMs: idleMs, withinMs }))
    const cut = (await Promise.all(counts)).reduce((sum, count) => sum + count, 0)
    this.#state = 'stopped'
    return cut
  }

  /** Stops at once. Gives the number of requests that were cut. */
  async cut(): Promise<number> {
    this.#state = 'stopped'
    const counts = await Promise.all(this.#loops.map((loop) => this.#end(loop, { type: 'cut' })))
    return counts.reduce((sum, count) => sum + count, 0)
  }

  /** Drops kept replies in all loops. Tells how many, and whether that was all. */
  async purge(what: Purge): Promise<{ readonly purged: number; readonly whole: boolean }> {
    const answers = await Promise.all(
      this.#loops.map(({ worker }) => ask<'purge'>(worker, { type: 'purge', what }, purgeMs)),
    )
    const counts = answers.map((answer) => answer?.count ?? null)
    return { purged: counts.reduce<number>((sum, count) => sum + (count ?? 0), 0), whole: !counts.includes(null) }
  }

  #begin(loop: Loop): Promise<void> {
    const data: LoopData = {
      ...this.#changeover.begin(loop),
      slices: loop.slices.buffer,
      port: this.#port,
      shared: this.#loops.length > 1,
    }
    const worker = new Worker(new URL('./loop.ts', import.meta.url), {
      workerData: data,
      name: 'data loop',
      resourceLimits: { maxYoungGenerationSizeMb },
    })
    // Each question that is under way listens for its answer.
    worker.setMaxListeners(0)
    Object.assign(loop, { worker, listening: false, startedAt: performance.now() })
    return new Promise((resolve, reject) => {
      worker.on('message', (message: FromLoop) => {
        if (message.type === 'listening') {
          loop.listening = true
          this.#port = message.port
          resolve()
        } else if (message.type === 'delays') loop.probe = workerProbe(worker, message.delays)
        else if (message.type === 'failed') reject(new StartFault(message.message, message.hindrances))
        else if (message.type === 'log') {
          this.#events.lines(message.batch)
          worker.postMessage({ type: 'log-taken' } satisfies ToLoop)
        } else if (message.type === 'traces') {
          this.#events.traces(message.batch)
          worker.postMessage({ type: 'traces-taken' } satisfies ToLoop)
        } else this.#changeover.take(loop, message)
      })
      // Anything can be thrown, null too.
      worker.on('error', (error: Error | null | undefined) =>
        this.#events.log('error', 'a data loop failed', { error: error?.stack ?? String(error) }),
      )
      worker.once('exit', () => {
        reject(new StartFault('a data loop ended before it listened'))
        this.#died(loop)
      })
    })
  }

  #died(loop: Loop): void {
    const wasListening = loop.listening
    Object.assign(loop, { worker: null, probe: null, listening: false })
    this.#changeover.died(loop)
    if (loop.ending || this.#state === 'stopped' || (!wasListening && this.#state === 'starting')) return
    loop.deaths++
    loop.instruments.zeroGauges()
    const livedMs = performance.now() - loop.startedAt
    const pauseMs =
      livedMs > soundMs || loop.deaths === 1 ? 0 : Math.min(firstPauseMs * 2 ** loop.deaths, longestPauseMs)
    this.#events.log('error', 'a data loop has died and is replaced', { deaths: loop.deaths, pauseMs })
    setTimeout(() => {
      if (loop.ending || this.#state === 'stopped') return
      this.#begin(loop).catch((error: Error) => {
        this.#events.log('error', 'a data loop could not be replaced', { error: error.message })
      })
    }, pauseMs)
  }

  #end(loop: Loop, message: ToLoop): Promise<number> {
    loop.ending = true
    const { worker } = loop
    if (worker === null) return Promise.resolve(0)
    return new Promise((resolve) => {
      let cut: number | null = null
      worker.on('message', (answer: FromLoop) => {
        if (answer.type === 'drained') cut = answer.cut
      })
      // The gauges of a loop that could not say so are as it left them.
      worker.once('exit', () => resolve(cut ?? loop.instruments.sum(isActiveRequests)))
      worker.postMessage(message)
      // A loop that is stuck will not hear of it.
      const deadline = message.type === 'drain' ? message.withinMs + 1_000 : 1_000
      setTimeout(() => void worker.terminate(), deadline).unref()
    })
  }
}

/** Names the data loops of a config. */
export function loopNames({ loops }: Config): string[] {
  const count = loops === 'auto' ? availableParallelism() : loops
  return Array.from({ length: count }, (_, i) => (count === 1 ? 'data' : `data-${i + 1}`))
}

function loopOf(name: string, instruments: Instruments): Loop {
  const rest = new Rest()
  const slices = new Slices()
  return {
    name,
    instruments,
    slices,
    rest,
    record() {
      return record(slices, this.instruments)
    },
    change(series) {
      const before = namedIn(this.instruments)
      this.instruments = this.instruments.changed(series)
      rest.change(before, namedIn(this.instruments))
    },
    worker: null,
    probe: null,
    listening: false,
    ending: false,
    deaths: 0,
    startedAt: 0,
  }
}

/** Finds out whether the port can be had at all, which reusePort would not tell, and which it is when any will do. */
async function freePort(host: string, port: number): Promise<number> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(new StartFault(error.message)))
    server.listen({ host, port }, () => {
      const address = server.address()
      const found = typeof address === 'object' && address !== null ? address.port : port
      server.close(() => resolve(found))
    })
  })
}
