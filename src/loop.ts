import { setTimeout } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import type { Purge, Store } from './cache/store.ts'
import { Wheel } from './call/wheel.ts'
import type { Config } from './config/schema.ts'
import { BuildFault, type Hindrance, gateway } from './gateway.ts'
import { seriesOfConfig } from './series.ts'
import { type Listening, listen } from './server/listen.ts'
import { storeOf } from './store.ts'
import { timeCollections } from './telemetry/collections.ts'
import { type Delays, measureDelays } from './telemetry/delays.ts'
import { Instruments } from './telemetry/instruments.ts'
import { Ledger } from './telemetry/ledger.ts'
import { type Line, LogQueue, Sparing } from './telemetry/log.ts'
import { type Batch, Queue } from './telemetry/queue.ts'
import type { Kept } from './telemetry/record.ts'
import { Utilisation } from './telemetry/utilisation.ts'

/** What a data loop is started with. */
export interface LoopData {
  readonly config: Config
  readonly buffer: SharedArrayBuffer
  readonly port: number
  /** Whether several loops listen on the port. */
  readonly shared: boolean
}

/** What the control loop tells a data loop. */
export type ToLoop =
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

const { config, buffer, port: tcpPort, shared } = workerData as LoopData
const instruments = new Instruments(seriesOfConfig(config), buffer)
timeCollections(instruments)
const delayMeter = measureDelays()
tell({ type: 'delays', delays: delayMeter.delays })
const ledger = new Ledger(instruments)
const wheel = new Wheel()
const utilisation = new Utilisation()
setInterval(() => {
  utilisation.look()
  delayMeter.busy(utilisation.last > busyFrom)
}, lookMs).unref()
const log = new LogQueue((batch) => tell({ type: 'log', batch }))
const traces = new Queue<Kept>(maxTraces, (batch) => tell({ type: 'traces', batch }))
let cutting = false

try {
  const sparing = new Sparing(log, () => wheel.now())
  const store = storeOf(config, { wheel, instruments })
  const made = await gateway(config, {
    wheel,
    instruments,
    ledger,
    log: sparing,
    utilisation: () => utilisation.last,
    store,
  })
  const { host, limits } = config.listen
  const listening = await listen(made.fetch, { host, port: tcpPort, limits, shared, refused: made.refused })
  const destroy = async (): Promise<void> => {
    await made.destroy()
    await store.destroy()
  }
  port.on('message', (message: ToLoop) => {
    if (message.type === 'purge') void purge(store, message)
    else void obey(message, listening, destroy)
  })
  tell({ type: 'listening', port: listening.port })
} catch (error) {
  const hindrances = error instanceof BuildFault ? error.hindrances : []
  tell({ type: 'failed', message: error instanceof Error ? error.message : String(error), hindrances })
  end()
}

async function purge(store: Store, { id, what }: Extract<ToLoop, { type: 'purge' }>): Promise<void> {
  tell({ type: 'purged', id, count: await store.purge(what) })
}

async function obey(
  message: Exclude<ToLoop, { type: 'purge' }>,
  listening: Listening,
  destroy: () => Promise<void>,
): Promise<void> {
  if (message.type === 'log-taken') return log.taken()
  if (message.type === 'traces-taken') return traces.taken()
  if (message.type === 'cut') cutting = true
  const cut = message.type === 'cut' ? listening.cut() : await listening.drain(message.quietMs, message.withinMs)
  // A drain that was overtaken finds nothing left, and must not say that nothing was cut.
  if (cutting && message.type === 'drain') return
  await destroy()
  // Sockets close at the end of a turn of the loop: what they served is counted and logged then.
  await setTimeout(0)
  log.flush()
  traces.flush()
  tell({ type: 'drained', cut })
  end()
}

/** Ends this thread, not the process. By force: what a transform holds open must not keep it. */
function end(): void {
  process.exit()
}
