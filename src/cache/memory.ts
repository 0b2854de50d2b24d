import { isOf } from './key.ts'
import type { Entry, Lease, Purge, Store, StoreMeter } from './store.ts'

/** What a memory store stands on. */
export interface MemoryOptions {
  readonly maxBytes: number
  /** A clock in ms that no change of the wall clock moves. */
  readonly now: () => number
  readonly meter: StoreMeter
}

/** A store in the memory of this loop. */
export interface MemoryStore extends Store {
  get(key: string): Entry | null
  /** Drops everything at once. */
  clear(): void
}

/** An entry where it stands: between the one used before it and the one used after it. */
interface Item {
  readonly key: string
  readonly entry: Entry
  readonly until: number
  readonly bytes: number
  /** Which of all that were ever stored it is. */
  readonly serial: number
  older: Item | null
  newer: Item | null
}

const lease: Lease = { release: () => {} }

/**
 * Keeps entries in memory up to a bound in bytes; what was not used for longest goes first. All that an entry costs is
 * counted, so that many small ones take no more than a few large ones.
 */
export function memoryStore({ maxBytes, now, meter }: MemoryOptions): MemoryStore {
  const items = new Map<string, Item>()
  const tagged = new Map<string, Set<Item>>()
  let oldest: Item | null = null
  let newest: Item | null = null
  let bytes = 0
  let serial = 0

  function link(item: Item): void {
    item.older = newest
    if (newest === null) oldest = item
    else newest.newer = item
    newest = item
  }

  function unlink(item: Item): void {
    if (item.older === null) oldest = item.newer
    else item.older.newer = item.newer
    if (item.newer === null) newest = item.older
    else item.newer.older = item.older
    item.older = item.newer = null
  }

  function add(item: Item): void {
    items.set(item.key, item)
    link(item)
    bytes += item.bytes
    for (const tag of item.entry.tags) {
      const alike = tagged.get(tag)
      if (alike === undefined) tagged.set(tag, new Set([item]))
      else alike.add(item)
    }
  }

  function drop(item: Item): void {
    items.delete(item.key)
    unlink(item)
    bytes -= item.bytes
    for (const tag of item.entry.tags) {
      const alike = tagged.get(tag)
      alike?.delete(item)
      if (alike?.size === 0) tagged.delete(tag)
    }
  }

  const show = (): void => meter.memory(items.size, bytes)

  function dropTagged(tag: string): number {
    const alike = tagged.get(tag) ?? new Set()
    const count = alike.size
    for (const item of alike) drop(item)
    return count
  }

  /** Looks through all keys, a slice in each turn of the loop; what is stored meanwhile is none of its concern. */
  async function dropWhere(meant: (key: string) => boolean): Promise<number> {
    const last = serial
    let [count, looked] = [0, 0]
    for (const item of items.values()) {
      if (item.serial > last) break
      if (++looked % slice === 0) await new Promise((resolve) => setImmediate(resolve))
      if (items.get(item.key) !== item || !meant(item.key)) continue
      drop(item)
      count++
    }
    return count
  }

  return {
    get(key) {
      const item = items.get(key)
      if (item === undefined) return null
      if (item.until <= now()) {
        drop(item)
        show()
        return null
      }
      if (item !== newest) {
        unlink(item)
        link(item)
      }
      return item.entry
    },
    set(key, given, keepMs) {
      const before = items.get(key)
      if (before !== undefined) drop(before)
      const entry = compact(given)
      const size = bytesOf(key, entry)
      // What would push out a good part of all else is not worth it.
      if (size <= maxBytes / 4) {
        add({ key, entry, until: now() + keepMs, bytes: size, serial: ++serial, older: null, newer: null })
        for (; bytes > maxBytes && oldest !== null; meter.evicted()) drop(oldest)
      }
      show()
    },
    delete(key) {
      const item = items.get(key)
      if (item !== undefined) drop(item)
      show()
    },
    async purge(what: Purge) {
      const count =
        'tag' in what
          ? dropTagged(what.tag)
          : await dropWhere('key' in what ? (key) => isOf(what.key, key) : (key) => key.startsWith(what.prefix))
      show()
      return count
    },
    lease: () => lease,
    changed: () => Promise.resolve(true),
    clear() {
      items.clear()
      tagged.clear()
      oldest = newest = null
      bytes = 0
      show()
    },
    destroy: () => Promise.resolve(),
  }
}

// So many keys are looked through in about half a millisecond.
const slice = 5_000

// Measured on Node 26, as what `heapUsed` and `external` grow by: an entry with its place in the list and in the map, and
// its body beside its bytes; a field beside its text; a tag with a set of its own, as one that few entries share has.
const entryBytes = 700
const fieldBytes = 32
const tagBytes = 340

function bytesOf(key: string, { headers, body, vary, tags }: Entry): number {
  let bytes = entryBytes + key.length + body.byteLength
  for (const fields of [headers, vary]) {
    for (const name in fields) {
      const value = fields[name]
      const lines = typeof value === 'string' ? [value] : (value ?? [])
      for (const line of lines) bytes += fieldBytes + line.length
    }
  }
  for (const tag of tags) bytes += tagBytes + tag.length
  return bytes
}

/** A body may be a piece of a larger buffer, which it would keep whole. */
function compact(entry: Entry): Entry {
  const { body } = entry
  return body.buffer.byteLength === body.byteLength ? entry : { ...entry, body: new Uint8Array(body) }
}
