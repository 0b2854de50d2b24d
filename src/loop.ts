import { setTimeout } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import type { Purge, Store } from './cache/store.ts'
import { Wheel } from './call/wheel.ts'
import type { Config } from './config/schema.ts'
import { BuildFault, type Hindrance } from './gateway.ts'
import { Generations } from './generations.ts'
import { type Listening, listen } from './server/listen.ts'
import { seriesOfConfig } from './series.ts'
import { storeOf } from './store.ts'
import { timeCollections } from './telemetry/collections.ts'
import { type Delays, measureDelays } from './telemetry/delays.ts'
import { Instruments } from './telemetry/instruments.ts'
import type { Layout } from './telemetry/layout.ts'
import { Ledger } from './telemetry/ledger.ts'
import { type Line, LogQueue, Sparing } from './telemetry/log.ts'
import { type Batch, Queue } from './telemetry/queue.ts'
import type { Kept } from './telemetry/record.ts'
import { Keeper } from './telemetry/tracing.ts'
import { Slices } from './telemetry/slices.ts'
import { Utilisation } from './telemetry/utilisation.ts'

/** What a data loop is started with. */
export interface LoopData {
  /** Which config it is: data loops are taken from one to the next. */
  readonly version: number
  readonly config: Config
  readonly layout: Layout
  readonly slices: SharedArrayBuffer
  readonly port: number
  /** Whether several loops listen on the port. */
  readonly shared: boolean
}

/** What the control loop tells a data loop. */
export type ToLoop =
  | { readonly type: 'prepare'; readonly version: number; readonly config: Config; readonly layout: Layout }
  | { readonly type: 'swap' | 'discard'; readonly version: number }
  | { readonly type: 'drain'; readonly quietMs: number; readonly withinMs: number }
  | { readonly type: 'cut' }
  | { readonly type: 'purge'; readonly id: number; readonly what: Purge }
  | { readonly type: 'log-taken' }
  | { readonly type: 'traces-taken' }

/** What a data loop tells the control loop. */
export type FromLoop =
  | { readonly type: 'listening'; readonly port: number }
  | { readonly type: 'delays'; readonly delays: Delays }
  | { readonly type: 'failed'; readonly message: string; readonly hindrances: readonly Hindrance[] }
  | { readonly type: 'prepared'; readonly version: number }
  | {
      readonly type: 'unprepared'
      readonly version: number
      readonly message: string
      readonly hindrances: readonly Hindrance[]
    }
  /** Nothing is left of a config on this loop. */
  | { readonly type: 'retired'; readonly version: number }
  | { readonly type: 'log'; readonly batch: Batch<Line> }
  | { readonly type: 'traces'; readonly batch: Batch<Kept> }
  | { readonly type: 'drained'; readonly cut: number }
  /** How many entries were purged; null when some could not be reached. */
  | { readonly type: 'purged'; readonly id: number; readonly count: number | null }

const port = parentPort
if (port === null) throw new Error('loop.ts is the thread of a data loop: it is started by the supervisor')
const tell = (message: FromLoop): void => port.postMessage(message)

// Long enough not to take one slow request for a busy loop.
const lookMs = 200
const busyFrom = 0.05
// A few hundred kilobytes, if the control loop does not come to take them.
const maxTraces = 200

const { version: first, config, layout, slices, port: tcpPort, shared } = workerData as LoopData
// What does not hang on a config.
const instruments = new Instruments(seriesOfConfig(config), layout)
timeCollections(instruments)
const delayMeter = measureDelays()
tell({ type: 'delays', delays: delayMeter.delays })
const ledger = new Ledger(instruments, config.telemetry.ledger, new Slices(slices))
const wheel = new Wheel()
const utilisation = new Utilisation()
setInterval(() => {
  utilisation.look()
  delayMeter.busy(utilisation.last > busyFrom)
}, lookMs).unref()
const log = new LogQueue((batch) => tell({ type: 'log', batch }))
const traces = new Queue<Kept>(maxTraces, (batch) => tell({ type: 'traces', batch }))
const keeper = new Keeper(traces)
let serving = first
let cutting = false

try {
  const sparing = new Sparing(log, () => wheel.now())
  // For as long as the loop lives: what is kept outlives a config.
  const store = storeOf(config, { wheel, instruments, log: sparing })
  const ground = { wheel, ledger, traces: keeper, log: sparing, utilisation: () => utilisation.last, store }
  const generations = await Generations.begin(config, layout, ground)
  const { host, limits } = config.listen
  const { fetch, refused } = generations
  const listening = await listen(fetch, { host, port: tcpPort, limits, shared, refused })
  port.on('message', (message: ToLoop) => void obey(message, { listening, generations, store }))
  tell({ type: 'listening', port: listening.port })
} catch (error) {
  tell({ type: 'failed', ...whyNot(error) })
  end()
}

async function purge(store: Store, { id, what }: Extract<ToLoop, { type: 'purge' }>): Promise<void> {
  tell({ type: 'purged', id, count: await store.purge(what) })
}

/** What a data loop consists of, once it listens. */
interface Parts {
  readonly listening: Listening
  readonly generations: Generations
  readonly store: Store
}

async function obey(message: ToLoop, parts: Parts): Promise<void> {
  const { generations } = parts
  switch (message.type) {
    case 'log-taken':
      return log.taken()
    case 'traces-taken':
      return traces.taken()
    case 'purge':
      return purge(parts.store, message)
    case 'prepare':
      return prepare(message, generations)
    case 'swap': {
      const before = serving
      serving = message.version
      await generations.swap()
      return tell({ type: 'retired', version: before })
    }
    case 'discard':
      await generations.discard()
      return tell({ type: 'retired', version: message.version })
    case 'cut':
    case 'drain':
      return leave(message, parts)
  }
}

async function prepare(
  { version, config: its, layout: where }: Extract<ToLoop, { readonly type: 'prepare' }>,
  generations: Generations,
): Promise<void> {
  try {
    await generations.prepare(its, where)
    tell({ type: 'prepared', version })
  } catch (error) {
    tell({ type: 'unprepared', version, ...whyNot(error) })
  }
}

function whyNot(error: unknown): { message: string; hindrances: readonly Hindrance[] } {
  const hindrances = error instanceof BuildFault ? error.hindrances : []
  return { message: error instanceof Error ? error.message : String(error), hindrances }
}

async function leave(
  message: Extract<ToLoop, { readonly type: 'cut' | 'drain' }>,
  { listening, generations, store }: Parts,
): Promise<void> {
  if (message.type === 'cut') cutting = true
  const cut = message.type === 'cut' ? listening.cut() : await listening.drain(message.quietMs, message.withinMs)
  // A drain that was overtaken finds nothing left, and must not say that nothing was cut.
  if (cutting && message.type === 'drain') return
  await generations.destroy()
  await store.destroy()
  // Sockets close at the end of a turn of the loop: what they served is counted and logged then.
  await setTimeout(0)
  log.flush()
  keeper.flush()
  traces.flush()
  tell({ type: 'drained', cut })
  end()
}

/** Ends this thread, not the process. By force: what a transform holds open must not keep it. */
function end(): void {
  process.exit()
}
