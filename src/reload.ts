import { isDeepStrictEqual } from 'node:util'
import { StartFault } from './changeover.ts'
import { format } from './config/fault.ts'
import type { Loaded } from './config/load.ts'
import type { Config } from './config/schema.ts'

/** What came of reading the config anew. */
export type Reloaded =
  | { readonly ok: true; readonly restart: readonly string[]; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly faults: readonly string[] }

/** How the config in use came to be so. */
export interface ConfigStatus {
  /** When it was read. */
  readonly since: string
  readonly reloads: { readonly ok: number; readonly refused: number }
  /** What of the file is not in use, since only a restart would take it up. */
  readonly restart: readonly string[]
  /** What is wrong with the file as it was last read, while an earlier one is in use. */
  readonly faults: readonly string[]
}

/** What a config is read and put to use by. */
export interface Reloading {
  readonly read: () => Promise<Loaded>
  /** Throws a StartFault when the config cannot be put to use. */
  readonly apply: (config: Config) => Promise<void>
  readonly log: (level: 'info' | 'error', message: string, fields: object) => void
  /** Counts how it went. */
  readonly count: (result: 'ok' | 'refused') => void
}

/** Reads the config anew when asked to and puts it to use; one that is faulty changes nothing. */
export class Reloader {
  readonly #by: Reloading
  readonly #first: Config
  #loaded: Loaded
  #status: ConfigStatus = { since: now(), reloads: { ok: 0, refused: 0 }, restart: [], faults: [] }
  #last: Promise<unknown> = Promise.resolve()
  #next: Promise<Reloaded> | null = null

  constructor(config: Config, loaded: Loaded, by: Reloading) {
    this.#first = config
    this.#loaded = loaded
    this.#by = by
  }

  /** What was read last, sound or not. */
  get loaded(): Loaded {
    return this.#loaded
  }

  get status(): ConfigStatus {
    return this.#status
  }

  /** Reloads; who asks while that is under way, or about to be, gets one more that is for all who asked. */
  reload(why: string): Promise<Reloaded> {
    this.#next ??= this.#after(this.#last, why)
    return this.#next
  }

  async #after(last: Promise<unknown>, why: string): Promise<Reloaded> {
    await last
    const once = this.#once(why)
    this.#last = once.catch(() => {})
    this.#next = null
    return once
  }

  async #once(why: string): Promise<Reloaded> {
    this.#loaded = await this.#by.read()
    const { config, faults, warnings } = this.#loaded
    if (config === undefined) return this.#refuse(why, faults.map(format))
    try {
      await this.#by.apply(withUnchangeable(config, this.#first))
    } catch (error) {
      const places = error instanceof StartFault ? error.hindrances : []
      const told = places.map(({ path, message }) => format(this.#loaded.locate(path, message)))
      // Also of a bug: what is served is served on.
      return this.#refuse(why, told.length > 0 ? told : [error instanceof Error ? error.message : String(error)])
    }
    const restart = needsRestart(config, this.#first)
    const { ok, refused } = this.#status.reloads
    this.#status = { since: now(), reloads: { ok: ok + 1, refused }, restart, faults: [] }
    this.#by.count('ok')
    const told = { restart, warnings: warnings.map(format) }
    this.#by.log('info', 'config reloaded', { why, ...told })
    return { ok: true, ...told }
  }

  #refuse(why: string, faults: readonly string[]): Reloaded {
    const { ok, refused } = this.#status.reloads
    this.#status = { ...this.#status, reloads: { ok, refused: refused + 1 }, faults }
    this.#by.count('refused')
    this.#by.log('error', 'config refused, the one before stays', { why, faults })
    return { ok: false, faults }
  }
}

// What is made once for the whole life of the process: sockets that listen, threads, the exporters.
const fixed = [
  'listen.host',
  'listen.port',
  'listen.limits',
  'listen.tls',
  'ops',
  'loops',
  'cache',
  'telemetry',
] as const satisfies readonly (keyof Config | `listen.${keyof Config['listen']}`)[]

function needsRestart(config: Config, first: Config): string[] {
  return fixed.filter((path) => !isDeepStrictEqual(at(config, path), at(first, path)))
}

/** The config as it can be used by a process that was started with another. */
function withUnchangeable(config: Config, first: Config): Config {
  const kept = { ...config, listen: { ...config.listen } }
  for (const path of fixed) {
    const [key = '', inner] = path.split('.')
    const [into, from] = inner === undefined ? [kept, first] : [kept.listen, first.listen]
    Object.assign(into, { [inner ?? key]: (from as Record<string, unknown>)[inner ?? key] })
  }
  return kept
}

function at(config: Config, path: string): unknown {
  return path.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], config)
}

function now(): string {
  return new Date().toISOString()
}
