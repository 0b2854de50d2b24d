import { Cluster, type Redis } from 'ioredis'
import type { Client } from './connect.ts'
import type { Places } from './places.ts'
import type { Purge } from './store.ts'

// So many keys at a time: Redis does nothing else meanwhile.
const batch = 1_000

/** Drops from Redis what is meant, and tells how many entries that were. Rejects when not all of it can be reached. */
export async function sweep(client: Client, places: Places, what: Purge): Promise<number> {
  if ('tag' in what) return sweepIndex(client, places, places.tag(what.tag))
  if ('prefix' in what) return sweepPrefix(client, places.entry(what.prefix))
  const itself = await drop(client, [places.entry(what.key)])
  return itself + (await sweepIndex(client, places, places.variants(what.key)))
}

/** Drops all entries whose keys are in a set, some of which may have gone by themselves. */
async function sweepIndex(client: Client, places: Places, index: string): Promise<number> {
  let count = 0
  for (;;) {
    const keys = await client.zrange(index, '0', String(batch - 1))
    if (keys.length === 0) return count
    count += await drop(
      client,
      keys.map((key) => places.entry(key)),
    )
    await client.zrem(index, ...keys)
  }
}

/** Looks through all keys, since Redis has them in no order. */
async function sweepPrefix(client: Client, prefix: string): Promise<number> {
  // What means something to a pattern stands for itself.
  const pattern = `${prefix.replace(/[\\*?[\]^]/g, '\\$&')}*`
  const nodes: Redis[] = client instanceof Cluster ? client.nodes('master') : [client as Redis]
  const counts = nodes.map(async (node) => {
    let count = 0
    let cursor = '0'
    do {
      const [next, places] = await node.scan(cursor, 'MATCH', pattern, 'COUNT', batch)
      count += await drop(client, places)
      cursor = next
    } while (cursor !== '0')
    return count
  })
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0)
}

/** One by one, for in a cluster they lie on several nodes; they are sent together all the same. */
async function drop(client: Client, places: readonly string[]): Promise<number> {
  const counts = await Promise.all(places.map((place) => client.unlink(place)))
  return counts.reduce((sum, count) => sum + count, 0)
}
