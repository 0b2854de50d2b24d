import { Wheel } from '../../src/call/wheel.ts'
import type { RedisTls } from '../../src/cache/connect.ts'
import type { RedisCode } from '../../src/call/redis.ts'
import { type MemoryStore, memoryStore } from '../../src/cache/memory.ts'
import { type Others, type RedisStore, type RedisStoreOptions, redisStore } from '../../src/cache/redis.ts'
import type { Store } from '../../src/cache/store.ts'
import { tieredStore } from '../../src/cache/tiered.ts'
import { redis as url } from '../../src/config/redis.ts'
import { Breaker } from '../../src/policy/breaker.ts'
import { counting } from './entry.ts'

/** A store in a real Redis, and what it has said of it. */
export interface Shared extends AsyncDisposable {
  readonly store: RedisStore
  /** Memory above it, as a gateway has it. */
  readonly tiered: Store
  readonly memory: MemoryStore
  readonly wheel: Wheel
  /** How often what has failed. */
  readonly failed: Readonly<Partial<Record<RedisCode, number>>>
  readonly told: readonly { readonly message: string; readonly detail?: unknown }[]
  /** The keys that others were told to have changed, in their order; null where any may have. */
  readonly changes: readonly (string | null)[]
}

/** Makes the store of a gateway over a Redis, ready to be used unless it cannot be. */
export async function share(
  at: string,
  { ready = true, tls = {} }: { ready?: boolean; tls?: RedisTls } = {},
): Promise<Shared> {
  const address = url.parse(at)
  if (address === null) throw new Error('no URL')
  const wheel = new Wheel()
  const failed: Partial<Record<RedisCode, number>> = {}
  const told: { message: string; detail?: unknown }[] = []
  const changes: (string | null)[] = []
  const options: RedisStoreOptions = {
    address,
    tls,
    wheel,
    meter: { up: () => {}, failed: (code) => (failed[code] = (failed[code] ?? 0) + 1) },
    gate: () => new Breaker({ failures: 0.5, of: 10, within: 10_000, open: 500 }, Math.random),
    tell: (message, fields) => void told.push({ message, ...fields }),
  }
  const memory = memoryStore({ maxBytes: 1_000_000, now: () => wheel.now(), meter: counting() })
  let made: RedisStore | undefined
  const tiered = tieredStore(memory, (others: Others) => {
    made = redisStore(options, {
      changed(key) {
        changes.push(key)
        others.changed(key)
      },
      missed() {
        changes.push(null)
        others.missed()
      },
    })
    return made
  })
  const store = made as RedisStore
  if (ready) await until(() => store.up && store.following)
  return { store, tiered, memory, wheel, failed, told, changes, [Symbol.asyncDispose]: () => tiered.destroy() }
}

/** Waits until something is so, however long it takes: the test's own timeout is what ends it. */
export async function until(is: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await is())) await new Promise((resolve) => setImmediate(resolve))
}
