import { memoryStore } from './cache/memory.ts'
import type { Store } from './cache/store.ts'
import type { Wheel } from './call/wheel.ts'
import type { Config } from './config/schema.ts'
import type { Instruments } from './telemetry/instruments.ts'
import { storeMeter } from './telemetry/meters.ts'

/** What a store stands on. */
export interface StoreGround {
  readonly wheel: Wheel
  readonly instruments: Instruments
}

/** Makes the place where replies are kept, as the config has it. Whoever makes it destroys it. */
export function storeOf({ cache }: Pick<Config, 'cache'>, { wheel, instruments }: StoreGround): Store {
  return memoryStore({ maxBytes: cache.memory, now: () => wheel.now(), meter: storeMeter(instruments) })
}
