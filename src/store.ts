import { memoryStore } from './cache/memory.ts'
import { redisStore } from './cache/redis.ts'
import type { Store } from './cache/store.ts'
import { tieredStore } from './cache/tiered.ts'
import type { Wheel } from './call/wheel.ts'
import type { Config } from './config/schema.ts'
import { Breaker } from './policy/breaker.ts'
import type { Instruments } from './telemetry/instruments.ts'
import type { Sparing } from './telemetry/log.ts'
import { redisMeter, storeMeter } from './telemetry/stores.ts'

/** What a store stands on. */
export interface StoreGround {
  readonly wheel: Wheel
  readonly instruments: Instruments
  readonly log: Sparing
}

// Fewer than of an upstream's calls: what Redis does not answer costs whoever asks, and the answer can be had elsewhere.
const breaking = { failures: 0.5, of: 10, within: 10_000, open: 1_000 } as const

/** Makes the place where replies are kept, as the config has it: memory, or memory above Redis. Whoever makes it destroys it. */
export function storeOf({ cache }: Pick<Config, 'cache'>, { wheel, instruments, log }: StoreGround): Store {
  const memory = memoryStore({ maxBytes: cache.memory, now: () => wheel.now(), meter: storeMeter(instruments) })
  const { redis: address } = cache
  if (address === null) return memory
  const redis = {
    address,
    tls: cache.tls ?? {},
    wheel,
    meter: redisMeter(instruments),
    gate: () => new Breaker(breaking, Math.random),
    tell: (message: string, fields: Readonly<Record<string, unknown>>) => log.write(message, message, fields),
  }
  return tieredStore(memory, (others) => redisStore(redis, others))
}
