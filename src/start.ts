import type { Purge } from './cache/store.ts'
import { StartFault } from './changeover.ts'
import { listing } from './config/fault.ts'
import type { Loaded } from './config/load.ts'
import type { Config } from './config/schema.ts'
import { watch } from './config/watch.ts'
import { configMeter } from './ops/config.ts'
import { accessLines } from './ops/access.ts'
import { dashboard } from './ops/dashboard.ts'
import { type Shown, listenOps, opsApp } from './ops/http.ts'
import type { Level } from './ops/level.ts'
import { type LogWriter, logWriter } from './ops/log.ts'
import { observer } from './ops/observe.ts'
import type { Push, Pushed } from './ops/otlp.ts'
import { exposition } from './ops/prometheus.ts'
import { told } from './ops/readings.ts'
import { Recent } from './ops/recent.ts'
import { openDescriptors, throttling } from './ops/system.ts'
import { vitalNumbers } from './ops/vitals.ts'
import { Reloader } from './reload.ts'
import { Supervisor, loopNames } from './supervisor.ts'
import type { Reading } from './telemetry/instruments.ts'
import type { Batch } from './telemetry/queue.ts'
import type { Kept } from './telemetry/record.ts'
import { ownVersion } from './version.ts'

// A terminal sends Ctrl-C to the process and its parent, which may pass it on: that is one wish, not two.
const secondSignalMs = 500

// Long enough for a reader that reads at all.
const lastLinesMs = 1_000
// Long enough for a collector that is near.
const lastPushMs = 1_000

/** Runs the gateway until it is told to stop; `read` reads its config anew. Gives the exit status. */
export async function start(config: Config, loaded: Loaded, read: () => Promise<Loaded>): Promise<number> {
  const tells = { cgroup: throttling() !== null, descriptors: openDescriptors() !== null }
  const numbers = vitalNumbers(loopNames(config), tells)
  const writer = logWriter(numbers)
  const recent = new Recent()
  const log: LogWriter['log'] = (...line) => writer.log(...line)
  const access = accessLines(log)
  let push: Push | null = null
  const traces = (batch: Batch<Kept>): void => {
    recent.add(batch)
    numbers.slot('oneloop.traces.dropped', {}).add(batch.dropped)
    access(batch.items)
    push?.traces(batch.items)
    board.kept(batch.items)
  }
  const supervisor = new Supervisor(config, { ...writer, traces })
  const started = Promise.withResolvers<void>()
  const meter = configMeter(numbers, config)
  const reloader = new Reloader(config, loaded, {
    read,
    apply: async (next) => {
      await started.promise
      await supervisor.reload(next)
      meter.used(next)
    },
    log,
    count: (result) => meter.reloaded(result),
  })
  const readings = (): Reading[] => [...told(supervisor.read()), ...numbers.read(), meter.revision()]
  const board = dashboard({
    config: () => supervisor.config,
    revision: () => meter.revision().attributes['revision'] ?? '',
    version: await ownVersion(),
    state: () => supervisor.status().state,
    loops: () => supervisor.threads(),
    readings,
    recent: () => recent.list().traces,
    tell: (message, fields) => writer.log('warn', message, fields),
  })
  const look = observer(numbers, tells, () => supervisor.threads())
  look()
  setInterval(() => board.second(look()), 1_000).unref()
  const shown: Shown = {
    ready: () => ({ ready: supervisor.status().ready, state: supervisor.status().state }),
    status: () => ({
      ...supervisor.status(),
      current: supervisor.standing(),
      config: reloader.status,
      series: supervisor.read().filter(({ value }) => value !== 0),
    }),
    metrics: (form) => exposition(readings(), form),
    traces: () => recent.list(),
  }
  const app = opsApp(shown, {
    token: config.ops.token,
    purge: (what) => purge(supervisor, writer, what),
    reload: (why) => reloader.reload(why),
    log: (level) => changeLevel(writer, level),
  })
  board.serve(app)
  const { host, port } = config.ops
  const stopped = untilStopped(supervisor, writer)
  process.on('SIGHUP', () => void reloader.reload('SIGHUP'))
  let ops
  try {
    // First, so that health can be asked from the start: not ready, but alive.
    ops = await listenOps(app, host, port)
    push = await pushTo(config.telemetry.otlp, { readings, numbers, log, version: await ownVersion() })
    await supervisor.start()
    started.resolve()
  } catch (error) {
    process.stderr.write(describe(error, loaded))
    ops?.close()
    return 1
  }
  const status = supervisor.status()
  writer.log('info', 'listening', { address: urlOf(config.listen.host, status.port), loops: status.loops.length })
  writer.log('info', 'ops', { address: urlOf(host, ops.port) })
  const unwatch = watch(
    () => reloader.loaded.sights,
    () => void reloader.reload('changed'),
  )
  const cut = await stopped
  unwatch()
  ops.close()
  await push?.close(lastPushMs)
  writer.log(cut === 0 ? 'info' : 'warn', 'stopped', { cut })
  const exitStatus = cut === 0 ? 0 : 1
  // What is left of the log is waited for, but somebody may have stopped reading it.
  setTimeout(() => process.exit(exitStatus), lastLinesMs).unref()
  return exitStatus
}

/** Begins to push to a collector, if there is one: what that takes is loaded for nobody else. */
async function pushTo(to: Config['telemetry']['otlp'], what: Pushed): Promise<Push | null> {
  if (to === null) return null
  const { otlp } = await import('./ops/otlp.ts')
  return otlp(to, what)
}

function changeLevel(writer: LogWriter, level: Level): void {
  // However little is said before and after, this is.
  writer.from('info')
  writer.log('info', 'log level', { logged: level })
  writer.from(level)
}

async function purge(supervisor: Supervisor, writer: LogWriter, what: Purge): ReturnType<Supervisor['purge']> {
  const done = await supervisor.purge(what)
  writer.log(done.whole ? 'info' : 'warn', 'purged', { ...what, entries: done.purged, whole: done.whole })
  return done
}

function urlOf(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** Waits for signals: the first drains, a second ends at once. Gives the number of requests that were cut. */
function untilStopped(supervisor: Supervisor, writer: LogWriter): Promise<number> {
  return new Promise((resolve, reject) => {
    let firstAt: number | null = null
    const onSignal = (signal: NodeJS.Signals): void => {
      // Nobody is served yet.
      if (supervisor.status().state === 'starting') process.exit(0)
      const now = performance.now()
      if (firstAt !== null) {
        if (now - firstAt < secondSignalMs) return
        writer.log('warn', 'stopping at once', { signal })
        supervisor.cut().then(resolve, reject)
        return
      }
      firstAt = now
      writer.log('info', 'draining', { signal })
      // Whoever presses Ctrl-C is not a load balancer that needs time to notice, nor are there others to close for.
      const ended = signal === 'SIGINT' ? supervisor.drain({ serveMs: 0, idleMs: 0 }) : supervisor.drain()
      ended.then(resolve, reject)
    }
    process.on('SIGTERM', onSignal)
    process.on('SIGINT', onSignal)
  })
}

const listenFaults: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is in use',
  EACCES: 'may not be listened on by this user',
  EADDRNOTAVAIL: 'is not an address of this machine',
  ENOTFOUND: 'cannot be resolved',
  EAI_AGAIN: 'cannot be resolved',
}

function describe(error: unknown, loaded: Loaded): string {
  if (error instanceof StartFault && error.hindrances.length > 0) {
    return listing(error.hindrances.map(({ path, message }) => loaded.locate(path, message)))
  }
  const message = error instanceof Error ? error.message : String(error)
  const [, code = '', address] = /^(?:listen|getaddrinfo) (E[A-Z_]+)\b.*?(\S+)$/.exec(message) ?? []
  const why = listenFaults[code]
  return `oneloop: ${why === undefined ? message : `${address} ${why}`}\n`
}
