import { Redis } from 'ioredis'
import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { Scope } from '../../src/call/scope.ts'
import { seal } from '../../src/cache/envelope.ts'
import { entryOf } from '../support/entry.ts'
import { freePort } from '../support/process.ts'
import { startProxy } from '../support/proxy.ts'
import { startRedis } from '../support/redis.ts'
import { type Shared, share, until } from '../support/shared.ts'

// Some wait for Redis to be connected to again, which has its pauses.
vi.setConfig({ testTimeout: 60_000 })

const server = await startRedis('--enable-debug-command', 'yes')
const operator = new Redis(server.port)
afterAll(async () => {
  operator.disconnect()
  await server.stop()
})

beforeEach(() => operator.flushall())

const key = 'GET users /users/7'
const place = `oneloop:e:${key}`
const scope = ({ wheel }: Shared): Scope => new Scope(wheel, Infinity)
const there = (): Promise<boolean> => operator.exists(place).then((count) => count === 1)

/** Asks until an entry is found: a Redis that has just come back may be asked carefully at first. */
const found = (one: Shared, at = key): Promise<void> => until(async () => (await one.store.get(at)) !== null)

describe('R4: what is no whole entry of ours is a miss, dropped and counted', () => {
  const whole = seal(entryOf('{"a":1}', { tags: ['x'] }), Date.now() + 60_000)
  const changed = (at: number): Buffer => {
    const bytes = Buffer.from(whole)
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
    return bytes
  }
  test.each([
    ['empty', Buffer.alloc(0)],
    ['text', Buffer.from('hello, this is somebody else speaking')],
    ['of another version', changed(7)],
    ['with another magic', changed(0)],
    ['with a bit of its fields changed', changed(30)],
    ['with a bit of its body changed', changed(whole.length - 1)],
    ['with another length of its fields', changed(15)],
    ['with another end', changed(20)],
    ['cut short by a byte', whole.subarray(0, -1)],
    ['cut short to its head', whole.subarray(0, 24)],
    ['cut short within its head', whole.subarray(0, 10)],
    ['with a byte too much', Buffer.concat([whole, Buffer.from([0])])],
  ])('%s', async (_what, bytes) => {
    await using one = await share(server.url)
    await operator.set(place, bytes)
    expect(await one.store.get(key)).toBe(null)
    await until(async () => !(await there()))
    expect(one.failed).toEqual({ corrupt: 1 })
    one.store.set(key, entryOf('1'), 60_000)
    expect(await one.store.get(key)).toEqual(entryOf('1'))
  })

  test('of another kind', async () => {
    await using one = await share(server.url)
    await operator.del(place)
    await operator.lpush(place, 'x')
    expect(await one.store.get(key)).toBe(null)
    await until(async () => !(await there()))
    expect(one.failed).toEqual({ corrupt: 1 })
  })
})

describe('R5: what Redis refuses to write is counted by its code, and reads go on', () => {
  test.each([
    ['OOM', () => operator.config('SET', 'maxmemory', '1'), () => operator.config('SET', 'maxmemory', '0')],
    ['READONLY', () => operator.replicaof('127.0.0.1', 1), () => operator.replicaof('NO', 'ONE')],
    ['NOPERM', () => operator.acl('SETUSER', 'default', '-set'), () => operator.acl('SETUSER', 'default', '+set')],
  ] as const)('%s', async (code, begin, end) => {
    await using one = await share(server.url)
    one.store.set(key, entryOf('kept'), 60_000)
    await found(one)
    await begin()
    try {
      for (let i = 0; i < 30; i++) one.store.set(`${key}/${i}`, entryOf('new'), 60_000)
      await until(() => (one.failed[code] ?? 0) >= 30)
      expect(await one.store.get(key)).toEqual(entryOf('kept'))
      // Nobody else can respect a lease that cannot be written: whoever asks may fetch.
      expect(await one.store.lease(key, 1_000)).toMatchObject({ shared: false })
      expect(one.failed).toEqual({ [code]: 31 })
    } finally {
      await end()
    }
    one.store.set(key, entryOf('again'), 60_000)
    await until(async () => (await one.store.get(key))?.body.byteLength === 5)
  })

  test('NOAUTH: without the password it is as if Redis were away', async () => {
    const locked = await startRedis('--requirepass', 'secret')
    await using one = await share(locked.url, { ready: false })
    await until(() => (one.failed.NOAUTH ?? 0) > 0)
    one.tiered.set(key, entryOf('1'), 60_000)
    expect([await one.tiered.get(key), one.store.up]).toEqual([entryOf('1'), false])
    await using other = await share(locked.url.replace('//', '//:secret@'))
    other.store.set(key, entryOf('2'), 60_000)
    await found(other)
    await locked.stop()
  })
})

describe('a Redis that is away', () => {
  test('R1: at the start: memory serves, and it is taken up by itself', async () => {
    const port = await freePort()
    await using one = await share(`redis://127.0.0.1:${port}`, { ready: false })
    await until(() => one.told.length > 0)
    expect(one.told).toEqual([{ message: 'redis away', detail: expect.stringContaining('ECONNREFUSED') }])
    one.tiered.set(key, entryOf('1'), 60_000)
    expect(await one.tiered.get(key)).toEqual(entryOf('1'))
    expect([await one.tiered.purge({ key }), await one.tiered.get(key)]).toEqual([null, null])
    expect(await one.store.lease(key, 1_000)).toMatchObject({ shared: false })
    expect(await one.store.changed(key, scope(one))).toBe(true)
    const back = await startRedis('--port', String(port))
    await until(() => one.store.up && one.store.following)
    one.tiered.set(key, entryOf('2'), 60_000)
    await found(one)
    expect(one.told.map(({ message }) => message)).toEqual(['redis away', 'redis connected'])
    await back.stop()
  })

  test('R2: in the midst of it: nothing fails, memory serves, and is emptied when it is back', async () => {
    const port = await freePort()
    const first = await startRedis('--port', String(port))
    await using one = await share(`redis://127.0.0.1:${port}`)
    one.tiered.set(key, entryOf('1'), 60_000)
    await found(one)
    const asked = Array.from({ length: 50 }, (_, i) => one.tiered.get(`GET users /${i}`))
    await first.stop()
    expect(new Set(await Promise.all(asked.map(async (entry) => entry)))).toEqual(new Set([null]))
    await until(() => !one.store.up)
    // Others may have changed it by the time that it is back.
    expect(one.memory.get(key)).toBe(null)
    one.tiered.set(key, entryOf('alone'), 60_000)
    expect(await one.tiered.get(key)).toEqual(entryOf('alone'))
    const second = await startRedis('--port', String(port))
    await until(() => one.store.up && one.store.following)
    expect([one.memory.get(key), await one.tiered.get(key)]).toEqual([null, null])
    one.tiered.set(key, entryOf('2'), 60_000)
    await found(one)
    await second.stop()
  })

  test.each(['stopped', '200 ms slow'])('R3: %s: it soon costs nothing, and is taken up again', async (how) => {
    const own = await startRedis()
    await using proxy = await startProxy(own.port)
    await using one = await share(`redis://127.0.0.1:${proxy.port}`)
    one.store.set(key, entryOf('1'), 600_000)
    await found(one)
    if (how === 'stopped') process.kill(own.pid, 'SIGSTOP')
    else proxy.delayMs = 200
    await until(async () => {
      await Promise.all(Array.from({ length: 10 }, () => one.store.get(key)))
      return (one.failed.timeout ?? 0) >= 10
    })
    const { timeout } = one.failed
    // Each is answered in the turn in which it is asked: the alarm of one that was sent would come later.
    const answers = Array.from({ length: 1_000 }, () => one.store.get(key))
    let turns = 0
    const turning = setInterval(() => turns++)
    expect(new Set(await Promise.all(answers))).toEqual(new Set([null]))
    clearInterval(turning)
    expect(turns).toBe(0)
    expect((one.failed.timeout ?? 0) - (timeout ?? 0)).toBeLessThanOrEqual(3)
    if (how === 'stopped') process.kill(own.pid, 'SIGCONT')
    else proxy.delayMs = 0
    await found(one)
    await own.stop()
  })
})

describe('a lease', () => {
  test('R7: is had by one gateway at a time, and the others are told when it is given back', async () => {
    await using one = await share(server.url)
    await using other = await share(server.url)
    const lease = await one.store.lease(key, 60_000)
    expect([lease?.shared, await other.store.lease(key, 60_000)]).toEqual([true, null])
    const changed = other.store.changed(key, scope(other))
    lease?.release()
    expect(await changed).toBe(true)
    const next = await other.store.lease(key, 60_000)
    expect(next?.shared).toBe(true)
    // Who had it before cannot give back what is another's by now.
    lease?.release()
    expect(await one.store.lease(key, 60_000)).toBe(null)
    next?.release()
    await until(() => other.wheel.size === 0)
  })

  test('R7: those who wait are told as soon as what they wait for is stored', async () => {
    await using one = await share(server.url)
    await using other = await share(server.url)
    const lease = await one.store.lease(key, 60_000)
    expect(await other.store.lease(key, 60_000)).toBe(null)
    const changed = other.store.changed(key, scope(other))
    one.store.set(key, entryOf('1'), 60_000)
    expect([await changed, await other.store.get(key)]).toEqual([true, entryOf('1')])
    lease?.release()
  })

  test('R7: who listens too late is told at once', async () => {
    await using one = await share(server.url)
    await using other = await share(server.url)
    const lease = await one.store.lease(key, 60_000)
    expect(await other.store.lease(key, 60_000)).toBe(null)
    const before = other.changes.length
    one.store.set('GET users /after', entryOf('1'), 60_000)
    lease?.release()
    one.store.set('GET users /last', entryOf('1'), 60_000)
    await until(() => other.changes.slice(before).includes('GET users /last'))
    expect(await other.store.changed(key, scope(other))).toBe(true)
  })

  test('R8: of a gateway that has died is over in its time, and whoever waits ends with its own scope', async () => {
    const one = await share(server.url)
    await using other = await share(server.url)
    expect(await one.store.lease(key, 300)).not.toBe(null)
    await one.tiered.destroy()
    expect(await other.store.lease(key, 300)).toBe(null)
    const short = new Scope(other.wheel, other.wheel.now() + 10)
    expect(await other.store.changed(key, short)).toBe(false)
    expect(await other.store.changed(key, scope(other))).toBe(true)
    const lease = await other.store.lease(key, 300)
    expect(lease?.shared).toBe(true)
    lease?.release()
    await until(() => other.wheel.size === 0)
  })

  test.each([
    ['had nothing', false],
    ['had an older entry', true],
  ])('R7: is not had by who %s while another has stored it: it is to look again', async (_what, older) => {
    await using one = await share(server.url)
    await using other = await share(server.url)
    if (older) {
      other.tiered.set(key, entryOf('old', { receivedAt: 1 }), 60_000)
      await found(one)
    }
    one.store.set(key, entryOf('new', { receivedAt: 2 }), 60_000)
    await until(async () => (await other.store.get(key))?.receivedAt === 2)
    // As if what tells of it were late.
    if (older) other.memory.set(key, entryOf('old', { receivedAt: 1 }), 60_000)
    expect([await other.tiered.lease(key, 60_000), other.memory.get(key)?.receivedAt]).toEqual([null, 2])
    // Who has seen it and wants another may fetch it.
    const lease = await other.tiered.lease(key, 60_000)
    expect(lease).toMatchObject({ shared: true })
    lease?.release()
  })

  test('R7: is had by who could not keep in memory what another has stored', async () => {
    await using one = await share(server.url)
    one.store.set(key, entryOf('x'.repeat(400_000)), 60_000)
    await found(one)
    expect(await one.tiered.lease(key, 60_000)).toMatchObject({ shared: true })
  })
})

test('what is given back as a gateway ends is given back', async () => {
  const one = await share(server.url)
  await using other = await share(server.url)
  const lease = await one.store.lease(key, 60_000)
  lease?.release()
  await one.tiered.destroy()
  expect(await other.store.lease(key, 60_000)).toMatchObject({ shared: true })
})

test('a set of keys that have a tag loses those whose time is over, and ends with the last', async () => {
  await using one = await share(`${server.url}?prefix=tags`)
  one.store.set('GET a /1', entryOf('1', { tags: ['t'] }), 5)
  await until(async () => (await one.store.get('GET a /1')) === null)
  one.store.set('GET a /2', entryOf('2', { tags: ['t'] }), 60_000)
  await until(async () => (await operator.zcard('tags:t:t')) === 1)
  expect(await operator.zrange('tags:t:t', '0', '-1')).toEqual(['GET a /2'])
  expect(await operator.pttl('tags:t:t')).toBeGreaterThan(0)
  expect(await one.store.purge({ tag: 't' })).toBe(1)
  expect(await operator.keys('tags:*')).toEqual([])
})

test('a purge by prefix or tag reaches thousands of keys', async () => {
  await using one = await share(`${server.url}?prefix=many`)
  await Promise.all(
    Array.from({ length: 2_500 }, (_, i) =>
      operator.set(`many:e:GET a /${i}`, seal(entryOf('1', { tags: ['t'] }), Date.now() + 60_000)),
    ),
  )
  await operator.zadd(
    'many:t:t',
    ...Array.from({ length: 1_500 }, (_, i) => [Date.now() + 60_000, `GET a /${i}`]).flat(),
  )
  expect(await one.store.purge({ tag: 't' })).toBe(1_500)
  expect(await one.store.purge({ prefix: 'GET a /2' })).toBe(500)
  expect(await one.store.purge({ prefix: '' })).toBe(500)
  expect(await operator.keys('many:*')).toEqual([])
})
