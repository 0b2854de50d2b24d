import type { Config } from './config/schema.ts'
import { type Gateway, type Ground, gateway } from './gateway.ts'
import { seriesOfConfig } from './series.ts'
import { Instruments } from './telemetry/instruments.ts'
import type { Layout } from './telemetry/layout.ts'

/** The gateways of one data loop: one that serves, one at most that is made ready, and those that still have requests. */
export class Generations {
  readonly #ground: Omit<Ground, 'instruments'>
  readonly #retiring = new Set<Gateway>()
  #serving: Gateway
  #ready: Gateway | null = null

  private constructor(serving: Gateway, ground: Omit<Ground, 'instruments'>) {
    this.#serving = serving
    this.#ground = ground
  }

  /** Makes the first gateway, and has it serve. Throws a BuildFault. */
  static async begin(config: Config, layout: Layout, ground: Omit<Ground, 'instruments'>): Promise<Generations> {
    const instruments = new Instruments(seriesOfConfig(config), layout)
    return new Generations(await gateway(config, { ...ground, instruments }), ground)
  }

  /** Serves a request by the config of now, to its end. */
  readonly fetch: Gateway['fetch'] = (...request) => this.#serving.fetch(...request)

  /** Is to be told of requests that do not get as far as a gateway. */
  readonly refused: Gateway['refused'] = (...request) => this.#serving.refused(...request)

  /** Makes a gateway ready beside the one that serves. Throws a BuildFault, and then all is as it was. */
  async prepare(config: Config, layout: Layout): Promise<void> {
    const instruments = new Instruments(seriesOfConfig(config), layout)
    this.#ground.ledger.extend(instruments)
    this.#ready = await gateway(config, { ...this.#ground, instruments }, this.#serving)
  }

  /** Has the gateway that is ready serve all further requests; settles when the one before has had its last. */
  async swap(): Promise<void> {
    const before = this.#serving
    if (this.#ready === null) throw new Error('no gateway is ready')
    this.#serving = this.#ready
    this.#ready = null
    this.#retiring.add(before)
    await before.retire()
    this.#retiring.delete(before)
  }

  /** Gives the gateway up that is ready, if there is one. */
  async discard(): Promise<void> {
    const discarded = this.#ready
    this.#ready = null
    await discarded?.destroy()
  }

  /** Ends all connections to upstreams. */
  async destroy(): Promise<void> {
    await this.discard()
    await Promise.all([this.#serving, ...this.#retiring].map((one) => one.destroy()))
  }
}
