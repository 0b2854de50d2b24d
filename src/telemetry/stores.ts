import { type RedisCode, redisCodes } from '../call/redis.ts'
import type { Instruments, Series, Slot } from './instruments.ts'
import { type Name, seriesNamed } from './table.ts'

/** Counts what becomes of the replies that are kept in memory. */
export interface StoreMeter {
  /** Shows how many entries are in memory, and the bytes that they take. */
  memory(entries: number, bytes: number): void
  /** Counts an entry that was dropped to make room. */
  evicted(): void
}

/** Counts what becomes of a connection to Redis. */
export interface RedisMeter {
  /** Shows whether it is connected. */
  up(is: boolean): void
  /** Counts what has failed, by its code. */
  failed(code: RedisCode): void
}

/** Lists what is counted of the replies that are kept. */
export function storeSeries(): Series[] {
  const names: readonly Name[] = ['oneloop.cache.entries', 'oneloop.cache.size', 'oneloop.cache.evictions']
  const codes = redisCodes.map((code) => ({ code }))
  return [
    ...[...names, 'oneloop.redis.up' as const].map((name) => seriesNamed(name, {})),
    seriesNamed('oneloop.redis.errors', {}, codes),
  ]
}

/** Whether a series shows that Redis is connected: 1 for each loop. */
export function isRedisUp(name: string): boolean {
  return name === 'oneloop.redis.up'
}

/** Makes the meter of what is kept in memory. */
export function storeMeter(instruments: Instruments): StoreMeter {
  const slot = (name: Name): Slot => instruments.slot(name, {})
  const [entries, size] = [slot('oneloop.cache.entries'), slot('oneloop.cache.size')]
  const evictions = slot('oneloop.cache.evictions')
  return {
    memory(count, bytes) {
      entries.set(count)
      size.set(bytes)
    },
    evicted: () => evictions.add(1),
  }
}

/** Makes the meter of Redis. */
export function redisMeter(instruments: Instruments): RedisMeter {
  const up = instruments.slot('oneloop.redis.up', {})
  const failures = new Map(redisCodes.map((code, i) => [code, instruments.slot('oneloop.redis.errors', {}, i)]))
  return {
    up: (is) => up.set(is ? 1 : 0),
    failed: (code) => failures.get(code)?.add(1),
  }
}
