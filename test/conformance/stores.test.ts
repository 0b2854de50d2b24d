import { afterAll, describe, expect, test } from 'vitest'
import { Scope } from '../../src/call/scope.ts'
import { Wheel } from '../../src/call/wheel.ts'
import { variantOf } from '../../src/cache/key.ts'
import { memoryStore } from '../../src/cache/memory.ts'
import type { Entry, Store } from '../../src/cache/store.ts'
import { counting, entryOf } from '../support/entry.ts'
import { startRedis } from '../support/redis.ts'
import { type Shared, share } from '../support/shared.ts'

/** A kind of store, empty at first. */
type Make = () => Store | Promise<Store>

const server = await startRedis()
afterAll(() => server.stop())
// Each with a place of its own, so that none sees what another has left.
let places = 0
const shared = (): Promise<Shared> => share(`${server.url}?prefix=place${++places}`)

const stores: Readonly<Record<string, Make>> = {
  memory: () => memoryStore({ maxBytes: 1_000_000, now: () => performance.now(), meter: counting() }),
  Redis: async () => (await shared()).store,
  'memory above Redis': async () => (await shared()).tiered,
}

function find(store: Store, keys: readonly string[]): Promise<(Entry | null)[]> {
  return Promise.all(keys.map(async (key) => store.get(key)))
}

const made: Store[] = []
afterAll(() => Promise.all(made.map((store) => store.destroy())))

describe.each(Object.entries(stores))('%s', (_name, make) => {
  const fresh = async (): Promise<Store> => {
    const store = await make()
    made.push(store)
    return store
  }

  test('gives back what was set, all of it, as often as it is asked for', async () => {
    const store = await fresh()
    const entry = entryOf('{"a":1}', { vary: { 'accept-language': 'no' }, tags: ['a', 'b c'] })
    store.set('GET a /1', entry, 60_000)
    expect(await store.get('GET a /1')).toEqual(entry)
    expect(await store.get('GET a /1')).toEqual(entry)
  })

  test('keeps bodies of any bytes, empty ones and large ones', async () => {
    const store = await fresh()
    const bodies = [new Uint8Array(), Uint8Array.from({ length: 256 }, (_, i) => i), new Uint8Array(100_000).fill(200)]
    bodies.forEach((body, i) => store.set(`GET a /${i}`, entryOf('', { body }), 60_000))
    const found = await find(
      store,
      bodies.map((_, i) => `GET a /${i}`),
    )
    expect(found.map((one) => one && Buffer.compare(one.body, bodies[found.indexOf(one)] as Uint8Array))).toEqual([
      0, 0, 0,
    ])
  })

  test('has nothing for a key that was not set, or that only looks alike', async () => {
    const store = await fresh()
    store.set('GET a /1', entryOf('1'), 60_000)
    const keys = ['GET a /', 'GET a /11', 'GET a /1 #x', 'GET b /1', 'get a /1', '']
    expect(await find(store, keys)).toEqual(keys.map(() => null))
  })

  test('a later entry takes the place of an earlier one', async () => {
    const store = await fresh()
    for (const body of ['1', '2', '3']) store.set('GET a /1', entryOf(body), 60_000)
    expect(await store.get('GET a /1')).toEqual(entryOf('3'))
  })

  test('an entry is gone when its time is over', async () => {
    const store = await fresh()
    store.set('GET a /1', entryOf('1'), 5)
    while ((await store.get('GET a /1')) !== null) await new Promise((resolve) => setImmediate(resolve))
    store.set('GET a /2', entryOf('2'), 0)
    expect(await store.get('GET a /2')).toBe(null)
  })

  test('delete takes that entry and no other', async () => {
    const store = await fresh()
    const keys = ['GET a /1', variantOf('GET a /1', 'x'), 'GET a /12']
    for (const key of keys) store.set(key, entryOf(key), 60_000)
    store.delete('GET a /1')
    store.delete('GET a /nothing')
    expect((await find(store, keys)).map((one) => one !== null)).toEqual([false, true, true])
  })

  test('purges by key, by tag and by prefix, and tells how many', async () => {
    const store = await fresh()
    const tags: Record<string, string[]> = { '/1': ['x'], '/2': ['x', 'y'], '/3/*': [], '/3/?': ['z*'], '/30': [] }
    const fill = (): void => {
      for (const [path, own] of Object.entries(tags)) store.set(`GET a ${path}`, entryOf(path, { tags: own }), 60_000)
      store.set(variantOf('GET a /3/*', 'x'), entryOf('variant'), 60_000)
    }
    const left = async (): Promise<string[]> => {
      const keys = [...Object.keys(tags).map((path) => `GET a ${path}`), variantOf('GET a /3/*', 'x')]
      const found = await find(store, keys)
      return keys.filter((_, i) => found[i] !== null)
    }
    fill()
    expect([await store.purge({ tag: 'x' }), await left()]).toEqual([
      2,
      ['GET a /3/*', 'GET a /3/?', 'GET a /30', 'GET a /3/* #x'],
    ])
    fill()
    expect([await store.purge({ key: 'GET a /3/*' }), await left()]).toEqual([
      2,
      ['GET a /1', 'GET a /2', 'GET a /3/?', 'GET a /30'],
    ])
    fill()
    // What means something to a pattern means nothing here.
    expect([await store.purge({ prefix: 'GET a /3/*' }), await store.purge({ prefix: 'GET a /?' })]).toEqual([2, 0])
    expect(await store.purge({ prefix: 'GET a /3' })).toBe(2)
    expect(await store.purge({ tag: 'z*' })).toBe(0)
    expect([await store.purge({ tag: 'none' }), await store.purge({ key: 'GET a' })]).toEqual([0, 0])
    expect([await store.purge({ prefix: '' }), await left()]).toEqual([2, []])
  })

  test('gives the lease of a key that nobody else has, and again when it was released', async () => {
    const store = await fresh()
    const first = await store.lease('GET a /1', 60_000)
    first?.release()
    const second = await store.lease('GET a /1', 60_000)
    // A second time does no harm, whoever has it by then.
    first?.release()
    second?.release()
    expect([first !== null, second !== null]).toEqual([true, true])
  })

  test('a wait for others ends with its scope at the latest, and leaves nothing behind', async () => {
    const store = await fresh()
    const wheel = new Wheel()
    const scope = new Scope(wheel, wheel.now() + 10)
    expect(await store.changed('GET a /1', scope)).toBeTypeOf('boolean')
    scope.close()
    expect(await store.changed('GET a /1', scope)).toBeTypeOf('boolean')
    expect([scope.size, wheel.size]).toEqual([0, 0])
  })
})
