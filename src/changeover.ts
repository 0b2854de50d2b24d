import type { Worker } from 'node:worker_threads'
import type { Config } from './config/schema.ts'
import type { Hindrance } from './gateway.ts'
import type { FromLoop, LoopData, ToLoop } from './loop.ts'
import { seriesOfConfig } from './series.ts'
import type { Instruments, Series } from './telemetry/instruments.ts'
import { NoRoom, wholeKey } from './telemetry/layout.ts'

/** What hinders a data loop from serving a config. */
export class StartFault extends Error {
  /** What it is in the config, if it is there. */
  readonly hindrances: readonly Hindrance[]
  constructor(message: string, hindrances: readonly Hindrance[] = []) {
    super(message)
    this.hindrances = hindrances
  }
}

/** A data loop, as far as it is taken from one config to another. */
export interface Changing {
  readonly instruments: Instruments
  /** Has numbers of other series from now on. */
  change(series: readonly Series[]): void
  /** Null while it is dead. */
  readonly worker: Worker | null
}

/** A config that some data loops have a gateway of. */
interface Generation {
  readonly series: readonly Series[]
  /** Those that have to tell that they are done with it before its numbers can be forgotten. */
  readonly with: Set<Changing>
}

type Answer = Extract<FromLoop, { readonly type: 'prepared' | 'unprepared' }>

/**
 * Takes all data loops from one config to another: each makes a gateway ready beside the one that serves, and only when
 * all could do so do they change over. Requests that are under way stay with the gateway that they came to.
 */
export class Changeover {
  readonly #loops: readonly Changing[]
  readonly #living = new Map<number, Generation>()
  readonly #asked = new Map<Changing, (answer: Answer | null) => void>()
  #config: Config
  #version = 0
  #last = 0

  constructor(config: Config, loops: readonly Changing[]) {
    this.#config = config
    this.#loops = loops
    this.#living.set(0, { series: seriesOfConfig(config), with: new Set(loops) })
  }

  /** The config that is served. */
  get config(): Config {
    return this.#config
  }

  /** What a loop that begins now has to serve, and where its numbers lie. */
  begin(loop: Changing): Pick<LoopData, 'version' | 'config' | 'layout'> {
    const layout = loop.instruments.layoutOf(seriesOfConfig(this.#config))
    return { version: this.#version, config: this.#config, layout }
  }

  /** How many earlier configs have requests under way. */
  get draining(): number {
    return this.#living.size - 1
  }

  /** Changes to another config. Throws a StartFault when one of the loops cannot, and then none does. */
  async to(config: Config): Promise<void> {
    const version = ++this.#last
    const generation: Generation = { series: seriesOfConfig(config), with: new Set() }
    this.#living.set(version, generation)
    try {
      this.#layOut()
    } catch (error) {
      this.#living.delete(version)
      throw error instanceof NoRoom ? new StartFault(`${error.message}: a restart makes some`) : error
    }
    const refused = await this.#prepareAll(version, config, generation)
    if (refused !== undefined) {
      this.#tell(generation, { type: 'discard', version })
      this.#forget(version)
      throw refused
    }
    const before = this.#version
    this.#config = config
    this.#version = version
    this.#tell(generation, { type: 'swap', version })
    for (const loop of this.#loops) {
      // One that is dead will begin with this config.
      generation.with.add(loop)
      if (loop.worker === null) this.#left(loop, before)
    }
  }

  /** Takes what a data loop tells of a changeover. */
  take(loop: Changing, message: FromLoop): void {
    if (message.type === 'prepared' || message.type === 'unprepared') this.#asked.get(loop)?.(message)
    if (message.type === 'unprepared' || message.type === 'retired') this.#left(loop, message.version)
  }

  /** Is told that a loop has died, and with it all that it had. */
  died(loop: Changing): void {
    this.#asked.get(loop)?.(null)
    for (const version of this.#living.keys()) if (version !== this.#version) this.#left(loop, version)
  }

  /** Has all loops make ready. Gives why one could not. */
  async #prepareAll(version: number, config: Config, generation: Generation): Promise<StartFault | undefined> {
    for (;;) {
      // One that was dead may have begun meanwhile, with the config before.
      const more = this.#loops.filter((loop) => loop.worker !== null && !generation.with.has(loop))
      if (more.length === 0) return undefined
      for (const loop of more) generation.with.add(loop)
      const answers = await Promise.all(more.map((loop) => this.#prepare(loop, version, config, generation.series)))
      const refused = answers.find((answer) => answer?.type !== 'prepared')
      if (refused !== undefined) return whyNot(refused)
    }
  }

  #prepare(loop: Changing, version: number, config: Config, series: readonly Series[]): Promise<Answer | null> {
    return new Promise((resolve) => {
      this.#asked.set(loop, (answer) => {
        this.#asked.delete(loop)
        resolve(answer)
      })
      post(loop, { type: 'prepare', version, config, layout: loop.instruments.layoutOf(series) })
    })
  }

  #tell(generation: Generation, message: ToLoop): void {
    for (const loop of generation.with) post(loop, message)
  }

  #left(loop: Changing, version: number): void {
    this.#living.get(version)?.with.delete(loop)
    this.#forget(version)
  }

  #forget(version: number): void {
    if (version === this.#version || this.#living.get(version)?.with.size !== 0) return
    this.#living.delete(version)
    this.#layOut()
  }

  /** Has the numbers of all configs that are in use, those of the newest first. */
  #layOut(): void {
    const all = new Map<string, Series>()
    const shapes = new Map()
    for (const { series } of [...this.#living.values()].toReversed()) {
      for (const one of series) {
        const key = wholeKey(one, shapes)
        if (!all.has(key)) all.set(key, one)
      }
    }
    for (const loop of this.#loops) loop.change([...all.values()])
  }
}

function whyNot(answer: Answer | null): StartFault {
  if (answer?.type === 'unprepared') return new StartFault(answer.message, answer.hindrances)
  return new StartFault('a data loop died while it was made ready')
}

function post(loop: Changing, message: ToLoop): void {
  loop.worker?.postMessage(message)
}
