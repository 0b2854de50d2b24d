import { Wheel } from '../../src/call/wheel.ts'
import { noAccounts } from '../../src/call/work.ts'
import { type Served, app } from '../../src/server/app.ts'
import { Crowd } from '../../src/server/crowd.ts'
import type { Entrance } from '../../src/server/enter.ts'
import { listen } from '../../src/server/listen.ts'
import { Instruments } from '../../src/telemetry/instruments.ts'
import { Ledger } from '../../src/telemetry/ledger.ts'
import { Queue } from '../../src/telemetry/queue.ts'
import { Keeper, Tracing } from '../../src/telemetry/tracing.ts'
import { type Line, Sparing } from '../../src/telemetry/log.ts'
import { requestMeter, seriesOf } from '../../src/telemetry/meters.ts'

/** The face of a gateway on a real port, with upstreams and a clock that a test makes up. */
export interface TestServer extends AsyncDisposable {
  readonly port: number
  readonly wheel: Wheel
  readonly lines: readonly Line[]
  /** What requests have come to, and how many of each. */
  results(): Record<string, number>
  /** Waits until no request is under way. Fails by the test's own timeout. */
  idle(): Promise<void>
}

/** Serves routes that are given as functions; all count as one route. It ends with `await using`. */
export async function startServer(
  routes: (entrance: Entrance) => readonly Served[],
  now?: () => number,
): Promise<TestServer> {
  const wheel = new Wheel(now)
  const route = { name: 'route', methods: ['GET'], upstreams: [] }
  const instruments = new Instruments(seriesOf([route], []))
  const lines: Line[] = []
  const write = (level: Line['level'], message: string, fields: Line['fields']): void => {
    lines.push({ level, message, fields, at: 0 })
  }
  const log = new Sparing({ write }, () => 0)
  const tracing = new Tracing({ sample: 0, slowMs: Infinity }, new Keeper(new Queue(0, () => {})), () => 0)
  const ledger = new Ledger(instruments)
  const meter = requestMeter(instruments, route)
  const { fetch } = app(
    routes({
      route: 'route',
      budgetMs: 5_000,
      deadline: null,
      wheel,
      meter,
      log,
      ledger,
      tracing,
      timing: false,
      accounts: noAccounts,
      crowd: new Crowd(),
    }),
    () => {},
  )
  const limits = { header: 16_384, headers: 100, url: 8_192 }
  const listening = await listen(fetch, { host: '127.0.0.1', port: 0, limits, shared: false, refused: () => {} })
  return {
    port: listening.port,
    wheel,
    lines,
    results() {
      const counted = instruments.read().filter(({ name, value }) => name === 'oneloop.requests' && value > 0)
      return Object.fromEntries(counted.map(({ attributes, value }) => [attributes['result'], value]))
    },
    async idle() {
      const active = (): boolean => instruments.read().some(({ name, value }) => name.includes('active') && value > 0)
      while (active()) await new Promise((done) => setImmediate(done))
    },
    async [Symbol.asyncDispose]() {
      listening.cut()
      await listening.drain(0, 1_000)
    },
  }
}
