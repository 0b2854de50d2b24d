import { resolve } from 'node:path'
import { Wheel } from '../../src/call/wheel.ts'
import { format } from '../../src/config/fault.ts'
import { parse } from '../../src/config/load.ts'
import { gateway } from '../../src/gateway.ts'
import { meaning } from '../../src/meaning.ts'
import { seriesOfConfig } from '../../src/series.ts'
import { type Listening, listen } from '../../src/server/listen.ts'
import { storeOf } from '../../src/store.ts'
import { Instruments, type Reading } from '../../src/telemetry/instruments.ts'
import { Ledger } from '../../src/telemetry/ledger.ts'
import { Queue } from '../../src/telemetry/queue.ts'
import type { Kept } from '../../src/telemetry/record.ts'
import { Keeper } from '../../src/telemetry/tracing.ts'
import { type Line, Sparing } from '../../src/telemetry/log.ts'

/** A whole data plane on a port of its own, in the test's process. */
export interface TestGateway {
  readonly url: string
  readonly port: number
  /** What it has logged. */
  readonly lines: readonly Line[]
  /** The requests that were kept as traces so far. */
  traces(): readonly Kept[]
  /** A counter or gauge, 0 when it has not moved. */
  read(name: string, attributes: Readonly<Record<string, string>>): number
  /** All numbers. */
  readings(): Reading[]
  /** Waits until nothing is under way: no request, no call, no alarm. Fails by the test's own timeout. */
  idle(): Promise<void>
  /** Drains it, as SIGTERM does in the end. Gives the number of requests that were cut. */
  drain: Listening['drain']
  close(): Promise<void>
}

/**
 * Starts a gateway from the `upstreams` and `routes` of a config, written as YAML; it ends with `await using`. What
 * else is to stand in `listen` is given beside it: `limits: { url: 1KiB }`, and how busy the loop is taken to be.
 */
export async function startGateway(
  yaml: string,
  more = '',
  utilisation = () => 0,
): Promise<TestGateway & AsyncDisposable> {
  const text = `listen: { host: 127.0.0.1, port: 0, ${more} }\n${yaml}`
  const loaded = parse(text, { file: resolve('test/gateway.yaml'), env: process.env, meaning })
  if (loaded.config === undefined) throw new Error(loaded.faults.map(format).join('\n'))
  const { config } = loaded
  const instruments = new Instruments(seriesOfConfig(config))
  const wheel = new Wheel()
  const lines: Line[] = []
  const log = new Sparing(
    { write: (level, message, fields) => void lines.push({ level, message, fields, at: Date.now() }) },
    () => wheel.now(),
  )
  const store = storeOf(config, { wheel, instruments, log })
  const kept: Kept[] = []
  const queue: Queue<Kept> = new Queue(1_000, ({ items }) => {
    kept.push(...items)
    queue.taken()
  })
  const traces = new Keeper(queue)
  const made = await gateway(config, {
    wheel,
    instruments,
    ledger: new Ledger(instruments),
    traces,
    log,
    utilisation,
    store,
  })
  const { host, port, limits } = config.listen
  const listening = await listen(made.fetch, { host, port, limits, shared: false, refused: made.refused })

  const active = (): number =>
    instruments
      .read()
      .filter(({ name }) => name.includes('active'))
      .reduce((sum, { value }) => sum + value, wheel.size)
  const close = async (): Promise<void> => {
    listening.cut()
    await listening.drain(0, 1_000)
    await made.destroy()
    await store.destroy()
  }
  return {
    url: `http://127.0.0.1:${listening.port}`,
    port: listening.port,
    lines,
    traces() {
      traces.flush()
      queue.flush()
      return kept
    },
    read(name, attributes) {
      const wanted = Object.entries(attributes)
      const found = instruments
        .read()
        .filter((one) => one.name === name && wanted.every(([key, value]) => one.attributes[key] === value))
      return found.reduce((sum, { value }) => sum + value, 0)
    },
    readings: () => instruments.read(),
    async idle() {
      while (active() > 0) await new Promise((done) => setImmediate(done))
    },
    drain: (quietMs, withinMs) => listening.drain(quietMs, withinMs),
    close,
    [Symbol.asyncDispose]: close,
  }
}
