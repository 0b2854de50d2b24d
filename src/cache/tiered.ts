import type { MemoryStore } from './memory.ts'
import type { Others, RedisStore } from './redis.ts'
import type { Entry, Store } from './store.ts'

/** What is asked of Redis for a key, and whether what it answers still holds by then. */
interface Asked {
  readonly found: Promise<Entry | null>
  holds: boolean
}

/**
 * Sets memory above Redis. A copy in memory lives only as long as Redis would tell of its end: when other gateways
 * change or purge it, and when they might have done so unheard. Without Redis memory stands for itself.
 */
export function tieredStore(memory: MemoryStore, redisOf: (others: Others) => RedisStore): Store {
  const asked = new Map<string, Asked>()
  const forget = (key: string): void => {
    const asking = asked.get(key)
    if (asking !== undefined) asking.holds = false
    asked.delete(key)
  }
  const redis = redisOf({
    changed(key) {
      forget(key)
      memory.delete(key)
    },
    missed() {
      for (const key of asked.keys()) forget(key)
      memory.clear()
    },
  })
  /** Whether a copy may be kept in memory, and believed. */
  const sound = (): boolean => redis.following || !redis.up

  function ask(key: string): Promise<Entry | null> {
    const asking: Asked = {
      holds: true,
      found: redis.find(key).then((found) => {
        if (asked.get(key) === asking) asked.delete(key)
        if (found === null) return null
        // It may be changed between Redis' answer and ours: that is told on another connection, perhaps before.
        const leftMs = found.until - Date.now()
        if (asking.holds && sound() && leftMs > 0) memory.set(key, found.entry, leftMs)
        return found.entry
      }),
    }
    asked.set(key, asking)
    return asking.found
  }

  /**
   * Whether Redis has another entry than was found here: who had the lease before may have stored one after it was asked
   * for, and what tells of that may be on its way. It is in memory then, so that whoever looks again finds it.
   */
  async function isNewer(key: string): Promise<boolean> {
    const before = memory.get(key)?.receivedAt
    const found = await redis.find(key)
    if (found === null || found.entry.receivedAt === before || !sound()) return false
    memory.set(key, found.entry, found.until - Date.now())
    // What memory does not take would be looked for again and again.
    return memory.get(key)?.receivedAt === found.entry.receivedAt
  }

  return {
    get: (key) => (sound() ? memory.get(key) : null) ?? asked.get(key)?.found ?? ask(key),
    set(key, entry, keepMs) {
      forget(key)
      if (sound()) memory.set(key, entry, keepMs)
      redis.set(key, entry, keepMs)
    },
    delete(key) {
      forget(key)
      memory.delete(key)
      redis.delete(key)
    },
    async purge(what) {
      const count = await redis.purge(what)
      // What others purge is told key by key, what is purged here is not: nor is it known of what has been asked for.
      for (const key of asked.keys()) forget(key)
      await memory.purge(what)
      return count
    },
    async lease(key, ms) {
      const lease = await redis.lease(key, ms)
      if (lease?.shared !== true || !(await isNewer(key))) return lease
      lease.release()
      return null
    },
    changed: (key, scope) => redis.changed(key, scope),
    async destroy() {
      await redis.destroy()
      await memory.destroy()
    },
  }
}
