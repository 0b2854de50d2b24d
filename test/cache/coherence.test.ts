import { Redis } from 'ioredis'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { variantOf } from '../../src/cache/key.ts'
import type { Purge } from '../../src/cache/store.ts'
import { entryOf } from '../support/entry.ts'
import { startProxy } from '../support/proxy.ts'
import { startRedis } from '../support/redis.ts'
import { type Shared, share, until } from '../support/shared.ts'

const server = await startRedis()
const operator = new Redis(server.port)
afterAll(async () => {
  operator.disconnect()
  await server.stop()
})
beforeEach(() => operator.flushall())

const key = 'GET users /users/7'
const text = async ({ tiered }: Shared, at = key): Promise<string | null> => {
  const entry = await tiered.get(at)
  return entry === null ? null : Buffer.from(entry.body).toString()
}

/** Two gateways, and their end. */
async function two(first = server.url) {
  const [one, other] = await Promise.all([share(first), share(server.url)])
  const end = async (): Promise<void> => void (await Promise.all([one, other].map(({ tiered }) => tiered.destroy())))
  return { one, other, [Symbol.asyncDispose]: end }
}

/** Two gateways that have the same entries in memory. */
async function twoWith(...keys: string[]) {
  const made = await two()
  const { one, other } = made
  for (const at of keys) one.tiered.set(at, entryOf('old', { tags: ['seven'] }), 60_000)
  // What is found before its change is told of is dropped again.
  for (const at of keys) await until(() => other.changes.includes(at))
  for (const at of keys) await until(async () => (await text(other, at)) === 'old')
  const held = keys.map((at) => [one, other].map(({ memory }) => memory.get(at) !== null))
  expect(held).toEqual(keys.map(() => [true, true]))
  return made
}

test('what one gateway has stored is found by another, which then has it in memory for the time that is left', async () => {
  await using gateways = await two()
  const { one, other } = gateways
  one.tiered.set(key, entryOf('1'), 1_000)
  await until(() => other.changes.includes(key))
  await until(async () => (await text(other)) === '1')
  expect(other.memory.get(key)).toEqual(entryOf('1'))
  // Memory would have it for another minute if it did not know when it was stored.
  await until(() => other.memory.get(key) === null)
  await until(async () => (await text(other)) === null)
})

describe('R9: a copy in the memory of a gateway is gone', () => {
  test('when another gateway stores anew, whose own copy stays', async () => {
    await using gateways = await twoWith(key)
    const { one, other } = gateways
    const before = other.changes.length
    other.tiered.set(key, entryOf('new'), 60_000)
    await until(() => one.memory.get(key) === null)
    expect([await text(one), await text(other)]).toEqual(['new', 'new'])
    // What is told of one's own doing would be told before what is told of another's.
    one.tiered.set('GET users /other', entryOf('x'), 60_000)
    await until(() => other.changes.includes('GET users /other'))
    expect([other.memory.get(key) !== null, other.changes.slice(before)]).toEqual([true, ['GET users /other']])
  })

  test('when another gateway deletes it', async () => {
    await using gateways = await twoWith(key)
    const { one, other } = gateways
    other.tiered.delete(key)
    await until(() => one.memory.get(key) === null)
    expect([await text(one), await text(other)]).toEqual([null, null])
  })

  test.each<[string, Purge]>([
    ['key', { key }],
    ['tag', { tag: 'seven' }],
    ['prefix', { prefix: 'GET users /users/' }],
  ])('when another gateway purges it by %s, variants as well', async (_what, what) => {
    const variant = variantOf(key, 'no')
    await using gateways = await twoWith(key, variant)
    const { one, other } = gateways
    one.tiered.set('GET shop /', entryOf('left alone'), 60_000)
    expect(await other.tiered.purge(what)).toBe(2)
    await until(() => one.memory.get(key) === null && one.memory.get(variant) === null)
    expect([other.memory.get(key), other.memory.get(variant)]).toEqual([null, null])
    expect([await text(one), await text(other), await text(other, 'GET shop /')]).toEqual([null, null, 'left alone'])
  })

  test('when somebody empties all of Redis', async () => {
    await using gateways = await twoWith(key)
    const { one, other } = gateways
    await operator.flushall()
    await until(() => one.memory.get(key) === null && other.memory.get(key) === null)
  })

  test.each([
    ['the subscription', 'pubsub'],
    ['the connection', 'normal'],
  ] as const)('when %s is lost, and there is none until changes are told again', async (_what, type) => {
    await using gateways = await twoWith(key)
    const { one, other } = gateways
    const before = one.changes.length
    await operator.call('CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes')
    await until(() => one.changes.length > before)
    expect([one.changes[before], one.memory.get(key)]).toEqual([null, null])
    await until(() => [one, other].every(({ store }) => store.up && store.following))
    await until(async () => (await text(one)) === 'old' && (await text(other)) === 'old')
    other.tiered.set(key, entryOf('new'), 60_000)
    await until(async () => (await text(one)) === 'new')
  })
})

test('while changes are not told, memory is neither filled nor believed', async () => {
  await using gateways = await twoWith(key)
  const { one, other } = gateways
  // Who may not track is never told.
  await operator.acl('SETUSER', 'default', '-client|tracking')
  await operator.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
  await until(() => [one, other].every(({ store }) => store.up && !store.following))
  one.tiered.set(key, entryOf('new'), 60_000)
  await until(async () => (await text(other)) === 'new')
  one.tiered.set(key, entryOf('newer'), 60_000)
  await until(async () => (await text(other)) === 'newer')
  expect([one.memory.get(key), other.memory.get(key)]).toEqual([null, null])
  await operator.acl('SETUSER', 'default', '+client|tracking')
  await until(() => [one, other].every(({ store }) => store.following))
})

test('what is changed while Redis answers is given to who has asked, and not kept', async () => {
  await using proxy = await startProxy(server.port)
  await using gateways = await two(`redis://127.0.0.1:${proxy.port}`)
  const { one, other } = gateways
  other.tiered.set(key, entryOf('old'), 60_000)
  await until(async () => (await operator.exists(`oneloop:e:${key}`)) === 1)
  await until(() => one.changes.includes(key))
  const before = one.changes.length
  // The first connection is that of commands; what is told comes by the second.
  const answer = proxy.hold(0)
  const found = text(one)
  await until(() => answer.held > 0)
  other.tiered.set(key, entryOf('new'), 60_000)
  await until(() => one.changes.length > before)
  const asksLater = text(one)
  answer.letGo()
  expect([await found, await asksLater]).toEqual(['old', 'new'])
  expect(Buffer.from(one.memory.get(key)?.body ?? []).toString()).toBe('new')
})
