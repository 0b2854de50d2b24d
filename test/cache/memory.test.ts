import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test, vi } from 'vitest'
import { keyOf, variantOf } from '../../src/cache/key.ts'
import { type MemoryStore, memoryStore } from '../../src/cache/memory.ts'
import { counting, entryOf } from '../support/entry.ts'

// What fills memory takes its time on a busy machine.
vi.setConfig({ testTimeout: 120_000 })

interface Given {
  readonly maxBytes?: number
  readonly now?: () => number
}

function made({ maxBytes = 1024 * 1024, now = () => 0 }: Given = {}) {
  const meter = counting()
  return { store: memoryStore({ maxBytes, now, meter }), meter }
}

const key = (i: number): string => keyOf('GET', 'users', `/users/${i}`)

function kept(store: MemoryStore, count: number): number[] {
  return Array.from({ length: count }, (_, i) => i).filter((i) => store.get(key(i)) !== null)
}

test('the entry that was not used for longest goes first', () => {
  const { store, meter } = made({ maxBytes: 10_000 })
  for (let i = 0; i < 4; i++) store.set(key(i), entryOf('x'.repeat(1_200)), 1_000)
  expect([kept(store, 4), meter.entries, meter.evictions]).toEqual([[0, 1, 2, 3], 4, 0])
  // From the middle, from the newest end, and from the oldest.
  for (const i of [2, 2, 0]) store.get(key(i))
  for (const i of [4, 5]) store.set(key(i), entryOf('x'.repeat(1_200)), 1_000)
  expect([kept(store, 6), meter.evictions]).toEqual([[0, 2, 4, 5], 2])
})

test('an entry is gone once its time is over, and the room that it took is free', () => {
  let now = 5
  const { store, meter } = made({ now: () => now })
  store.set(key(1), entryOf('1'), 100)
  now = 104
  expect(store.get(key(1))).toMatchObject({ status: 200 })
  now = 105
  expect([store.get(key(1)), meter.entries, meter.bytes]).toEqual([null, 0, 0])
})

test('an entry set again takes the place of the one before, in the count and in its tags', async () => {
  const { store, meter } = made()
  store.set(key(1), entryOf('1', { tags: ['old'] }), 1_000)
  const { bytes } = meter
  store.set(key(1), entryOf('2', { tags: ['new'] }), 1_000)
  expect([meter.entries, meter.bytes]).toEqual([1, bytes])
  expect(await store.purge({ tag: 'old' })).toBe(0)
  expect(await store.purge({ tag: 'new' })).toBe(1)
  expect([meter.entries, meter.bytes]).toEqual([0, 0])
})

test('an entry that would push out a good part of the others is not kept, nor is the one before it', () => {
  const { store, meter } = made({ maxBytes: 10_000 })
  store.set(key(0), entryOf('0'), 1_000)
  store.set(key(1), entryOf('1'), 1_000)
  store.set(key(1), entryOf('x'.repeat(3_000)), 1_000)
  expect([kept(store, 2), meter.entries, meter.evictions]).toEqual([[0], 1, 0])
})

test('a body that is a piece of a larger buffer does not keep all of it', () => {
  const { store } = made()
  const large = new Uint8Array(100_000).fill(7)
  store.set(key(1), entryOf('', { body: large.subarray(10, 20) }), 1_000)
  const body = store.get(key(1))?.body
  expect([body?.buffer.byteLength, body]).toEqual([10, new Uint8Array(10).fill(7)])
})

test('a purge by key takes its variants along, and nothing else that begins so', async () => {
  const { store } = made()
  const keys = [key(1), variantOf(key(1), 'abc'), variantOf(key(1), 'abd'), key(11), `${key(1)}/x`, `${key(1)}?x=1`]
  for (const one of keys) store.set(one, entryOf(one), 1_000)
  expect(await store.purge({ key: key(1) })).toBe(3)
  expect(keys.filter((one) => store.get(one) !== null)).toEqual(keys.slice(3))
})

test('a purge by prefix of many keys lets the loop go on, and spares what is stored meanwhile', async () => {
  const { store, meter } = made({ maxBytes: 100_000_000 })
  for (let i = 0; i < 20_000; i++) store.set(key(i), entryOf(''), 1_000)
  const purged = store.purge({ prefix: 'GET users /users/1' })
  let turns = 0
  const count = setInterval(() => turns++)
  await new Promise((resolve) => setImmediate(resolve))
  const later = keyOf('GET', 'users', '/users/1/later')
  store.set(later, entryOf('new'), 1_000)
  // The end of what is looked through has gone meanwhile.
  store.delete(key(19_999))
  expect(await purged).toBe(11_110)
  clearInterval(count)
  expect([store.get(later) !== null, meter.entries]).toEqual([true, 20_000 - 11_110])
})

test('a purge by prefix finds nothing twice that is used and replaced while it looks', async () => {
  const { store, meter } = made({ maxBytes: 100_000_000 })
  for (let i = 0; i < 12_000; i++) store.set(key(i), entryOf(''), 1_000)
  const purged = store.purge({ prefix: 'GET users ' })
  for (let i = 0; i < 12_000; i += 2) {
    store.get(key(i))
    if (i % 4 === 0 && i > 6_000) store.set(key(i), entryOf('new'), 1_000)
  }
  const count = await purged
  expect([count, meter.entries]).toEqual([12_000 - 1_499, 1_499])
})

test('clear leaves nothing', async () => {
  const { store, meter } = made()
  for (let i = 0; i < 10; i++) store.set(key(i), entryOf('x', { tags: ['t'] }), 1_000)
  store.clear()
  expect([kept(store, 10), meter.entries, meter.bytes, await store.purge({ tag: 't' })]).toEqual([[], 0, 0, 0])
  store.set(key(1), entryOf('x'), 1_000)
  expect(kept(store, 10)).toEqual([1])
})

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** The bytes that are in use, once what is not has been given back: buffers are so some time after their owners. */
async function liveBytes(): Promise<number> {
  let least = Infinity
  for (let since = 0; since < 5; since++) {
    collect()
    await new Promise((resolve) => setImmediate(resolve))
    const { heapUsed, external } = process.memoryUsage()
    if (heapUsed + external < least - 100_000) since = 0
    least = Math.min(least, heapUsed + external)
  }
  return least
}

test.each([
  { name: 'small', body: 60, fields: 4, tags: 0 },
  { name: 'large', body: 2_000, fields: 10, tags: 0 },
  { name: 'tagged', body: 100, fields: 4, tags: 2 },
])(
  'memory stays within a tenth of its bound with many distinct keys: $name entries',
  async ({ body, fields, tags }) => {
    const maxBytes = 48 * 1024 * 1024
    const fill = (store: MemoryStore, count: number): void => {
      for (let i = 0; i < count; i++) {
        const headers: Record<string, string> = {}
        // As text from a socket is: flat, not a chain of pieces.
        const text = Buffer.from(`${i} and some text of its own`)
        for (let f = 0; f < fields; f++) headers[`field-${f}`] = text.toString('latin1')
        const own = Array.from({ length: tags }, (_, t) => `user:${t}:${i}`)
        store.set(key(i), entryOf('', { headers, body: new Uint8Array(body).fill(i), tags: own }), 1_000)
      }
    }
    // What is compiled and allocated once is there already.
    fill(made({ maxBytes: 1_000_000 }).store, 10_000)
    const before = await liveBytes()
    const { store, meter } = made({ maxBytes })
    fill(store, 100_000)
    const grown = (await liveBytes()) - before
    expect(store.get(key(99_999))).not.toBe(null)
    expect(meter.bytes).toBeGreaterThan(maxBytes * 0.99)
    expect(meter.bytes).toBeLessThanOrEqual(maxBytes)
    expect(grown / maxBytes).toBeGreaterThan(0.9)
    expect(grown / maxBytes).toBeLessThan(1.1)
  },
)

test(
  'a million distinct keys leave no more behind than the entries that there is room for',
  { timeout: 120_000 },
  async () => {
    const entry = entryOf('the same for all')
    const before = await liveBytes()
    const { store, meter } = made({ maxBytes: 16 * 1024 * 1024 })
    let half = 0
    for (let i = 0; i < 1_000_000; i++) {
      store.set(key(i), entry, 1_000)
      if (i === 500_000) half = await liveBytes()
    }
    const grown = (await liveBytes()) - half
    expect(store.get(key(999_999))).toEqual(entry)
    expect(meter.entries + meter.evictions).toBe(1_000_000)
    expect(Math.abs(grown)).toBeLessThan(1_600_000)
    expect(half - before).toBeLessThan(17.6 * 1024 * 1024)
  },
)
