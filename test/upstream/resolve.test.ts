import type { SrvRecord } from 'node:dns'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Wheel } from '../../src/call/wheel.ts'
import { type Address, Resolver, type ResolverOptions } from '../../src/upstream/resolve.ts'
import { startDns } from '../support/dns.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const noSuchName = Object.assign(new Error('queryA ENOTFOUND'), { code: 'ENOTFOUND' })
const second = 1_000

/** A question that waits for the test to answer it. */
interface Question {
  readonly name: string
  readonly answer: (...ips: string[]) => Promise<void>
  readonly serve: (...records: Partial<SrvRecord>[]) => Promise<void>
  readonly fail: (error?: Error) => Promise<void>
}

/** A DNS whose questions the test answers, one by one. */
function scripted() {
  const questions: Question[] = []
  return {
    ask<T>(this: void, name: string): Promise<T> {
      const { promise, resolve, reject } = Promise.withResolvers<unknown>()
      const settle = (how: () => void): Promise<void> => {
        how()
        return turn()
      }
      const record = { name: 'a', port: 80, priority: 0, weight: 0 }
      questions.push({
        name,
        answer: (...ips) => settle(() => resolve(ips.map((address) => ({ address })))),
        serve: (...records) => settle(() => resolve(records.map((one) => ({ ...record, ...one })))),
        fail: (error = noSuchName) => settle(() => reject(error)),
      })
      return promise as Promise<T>
    },
    /** The names that are asked for, but for those whose question was taken. */
    asked: (): string[] => questions.map(({ name }) => name),
    /** Takes the first question for a name. */
    question: (name: string): Question => {
      const at = questions.findIndex((one) => one.name === name)
      if (at === -1) throw new Error(`nobody asks for ${name}`)
      return questions.splice(at, 1)[0] as Question
    },
  }
}

/** A resolver on a clock that the test moves, whose questions it answers. */
function startSetting(
  origins: readonly (string | readonly [origin: string, path: string])[],
  more: Partial<ResolverOptions> = {},
) {
  let now = 0
  const wheel = new Wheel(() => now)
  const { ask, asked, question } = scripted()
  const changes: (readonly Address[])[] = []
  const failures: [name: string, error: string, detail: string][] = []
  const resolver = new Resolver({
    endpoints: origins.map((one) => {
      const [origin, path] = typeof one === 'string' ? [one, ''] : one
      return { origin, path }
    }),
    everyMs: 5 * second,
    timeoutMs: 2 * second,
    wheel,
    random: () => 0.5,
    lookup: ask,
    resolveSrv: ask,
    onChange: (addresses) => void changes.push(addresses),
    onFailure: (...failed) => void failures.push(failed),
    ...more,
  })
  let isReady = false
  void resolver.ready.then(() => (isReady = true))
  /** What is known now. */
  const keys = (): string[] => (changes.at(-1) ?? []).map(({ key }) => key).sort()
  const pass = (ms: number): void => {
    now += ms
    wheel.advance()
  }
  return { resolver, wheel, changes, failures, asked, question, keys, pass, ready: () => isReady }
}

test('what is an address is asked of nobody', async () => {
  const { changes, asked, wheel, resolver } = startSetting([
    'http://10.0.0.1',
    ['https://10.0.0.2', '/v1'],
    'http://[fd00::1]:8080',
  ])
  expect(changes).toEqual([
    [
      { key: 'http://10.0.0.1:80', origin: 'http://10.0.0.1', host: '10.0.0.1', port: 80, path: '' },
      { key: 'https://10.0.0.2:443/v1', origin: 'https://10.0.0.2', host: '10.0.0.2', port: 443, path: '/v1' },
      { key: 'http://[fd00::1]:8080', origin: 'http://[fd00::1]:8080', host: 'fd00::1', port: 8080, path: '' },
    ],
  ])
  await resolver.ready
  expect([asked(), wheel.size, resolver.failed]).toEqual([[], 0, null])
})

test('a name stands for all its addresses, and is ready with the first answer', async () => {
  const { changes, question, ready, resolver } = startSetting([['https://users.svc:8443', '/v1'], 'http://localhost'])
  expect([changes, ready()]).toEqual([[], false])
  await question('users.svc').answer('10.0.0.1', 'fd00::1', '10.0.0.1')
  const of = (ip: string, host = ip): Address => ({
    key: `https://${host}:8443/v1 users.svc`,
    origin: 'https://users.svc:8443',
    host: ip,
    port: 8443,
    path: '/v1',
  })
  expect(changes).toEqual([[of('10.0.0.1'), of('fd00::1', '[fd00::1]')]])
  expect(ready()).toBe(false)
  await question('localhost').answer('127.0.0.1')
  expect(changes[1]).toContainEqual({
    key: 'http://127.0.0.1:80 localhost',
    origin: 'http://localhost',
    host: '127.0.0.1',
    port: 80,
    path: '',
  })
  expect([ready(), resolver.failed, changes.length]).toEqual([true, null, 2])
})

test('endpoints of one name are told apart, and the name is asked for once', async () => {
  const origins = ['http://a', 'https://a', 'http://a:81', ['http://a', '/v1'], 'http://a', 'http://b'] as const
  const { keys, question, asked } = startSetting(origins)
  expect(asked()).toEqual(['a', 'b'])
  await question('a').answer('10.0.0.1')
  await question('b').answer('10.0.0.1')
  expect(keys()).toEqual([
    'http://10.0.0.1:80 a',
    'http://10.0.0.1:80 b',
    'http://10.0.0.1:80/v1 a',
    'http://10.0.0.1:81 a',
    'https://10.0.0.1:443 a',
  ])
})

test('a changed address is taken up, and only a change is told', async () => {
  const { changes, keys, question, asked, pass } = startSetting(['http://a'])
  await question('a').answer('10.0.0.1', '10.0.0.2')
  pass(5 * second - 8)
  expect(asked()).toEqual([])
  pass(8)
  await question('a').answer('10.0.0.2', '10.0.0.1')
  expect(changes.length).toBe(1)
  pass(5 * second)
  await question('a').answer('10.0.0.2', '10.0.0.3')
  expect(keys()).toEqual(['http://10.0.0.2:80 a', 'http://10.0.0.3:80 a'])
  expect(changes.length).toBe(2)
})

test.each([
  [0, 4 * second],
  [1, 6 * second],
])('a name is asked for again after the interval, give or take a fifth (%f)', async (random, ms) => {
  const { question, asked, pass } = startSetting(['http://a'], { random: () => random })
  pass(second)
  await question('a').answer('10.0.0.1')
  pass(ms - 8)
  expect(asked()).toEqual([])
  pass(16)
  expect(asked()).toEqual(['a'])
})

test('U23: the last known addresses stay while lookups fail', async () => {
  const { changes, failures, question, pass, resolver } = startSetting(['http://a'])
  await question('a').answer('10.0.0.1')
  pass(5 * second)
  await question('a').fail()
  expect(resolver.failed).toBe('dns_error')
  pass(5 * second)
  await question('a').answer()
  pass(5 * second)
  await question('a').fail(Object.assign(new Error('queryA ETIMEOUT'), { code: 'ETIMEOUT' }))
  expect(resolver.failed).toBe('dns_timeout')
  pass(5 * second)
  await question('a').answer('10.0.0.1')
  expect([resolver.failed, changes.length]).toEqual([null, 1])
  expect(failures).toEqual([
    ['a', 'dns_error', 'queryA ENOTFOUND'],
    ['a', 'dns_error', 'no address'],
    ['a', 'dns_timeout', 'queryA ETIMEOUT'],
  ])
})

test('U23: a name that does not exist at first is asked for until it does', async () => {
  const { changes, keys, question, pass, ready, resolver } = startSetting(['http://a'])
  await question('a').fail()
  expect([ready(), resolver.failed, changes]).toEqual([true, 'dns_error', []])
  pass(5 * second)
  await question('a').answer('10.0.0.1')
  expect([keys(), resolver.failed]).toEqual([['http://10.0.0.1:80 a'], null])
})

test('U23: a lookup that takes too long has failed, is not asked a second time, and its late answer counts', async () => {
  const { keys, question, asked, pass, ready, resolver, failures } = startSetting(['http://a'])
  const slow = question('a')
  pass(2 * second - 8)
  expect([ready(), resolver.failed]).toEqual([false, null])
  pass(8)
  await turn()
  expect([ready(), resolver.failed]).toEqual([true, 'dns_timeout'])
  pass(60 * second)
  expect(asked()).toEqual([])
  await slow.answer('10.0.0.1')
  expect([keys(), resolver.failed]).toEqual([['http://10.0.0.1:80 a'], null])
  pass(5 * second)
  expect(asked()).toEqual(['a'])
  expect(failures).toEqual([['a', 'dns_timeout', 'no answer within 2000 ms']])
})

test('U23: a lookup that fails late is told once, and asked for again', async () => {
  const { question, asked, pass, resolver, failures } = startSetting(['http://a'])
  const slow = question('a')
  pass(2 * second)
  await slow.fail()
  expect([failures.length, resolver.failed]).toEqual([1, 'dns_timeout'])
  pass(5 * second)
  expect(asked()).toEqual(['a'])
})

test('U23: of two names, one that hangs holds the other up in nothing', async () => {
  const { keys, question, pass, ready, resolver } = startSetting(['http://hangs', 'http://a'])
  await question('a').answer('10.0.0.1')
  expect(keys()).toEqual(['http://10.0.0.1:80 a'])
  pass(2 * second)
  await turn()
  expect([ready(), resolver.failed]).toEqual([true, 'dns_timeout'])
  for (const ip of ['10.0.0.2', '10.0.0.3']) {
    pass(5 * second)
    await question('a').answer(ip)
    expect(keys()).toEqual([`http://${ip}:80 a`])
  }
})

test('a resolver that is stopped leaves no alarm, and what comes then is no news', async () => {
  const { changes, failures, question, pass, wheel, resolver } = startSetting([
    'http://a',
    'http://b',
    'srv://_http._tcp.c',
  ])
  await question('a').answer('10.0.0.1')
  expect(wheel.size).toBe(3)
  resolver.stop()
  expect(wheel.size).toBe(0)
  await question('b').answer('10.0.0.2')
  await question('_http._tcp.c').fail()
  pass(60 * second)
  expect([changes.length, failures, wheel.size]).toEqual([1, [], 0])
})

test('a service stands for the targets of the lowest priority', async () => {
  const { changes, question, asked, ready } = startSetting([['srv://_http._tcp.users.test', '/v1']])
  await question('_http._tcp.users.test').serve(
    { name: 'a.test', port: 8081, priority: 10, weight: 0 },
    { name: 'b.test', port: 80, priority: 10, weight: 90 },
    { name: 'c.test', port: 8083, priority: 20 },
  )
  expect([asked(), ready()]).toEqual([['a.test', 'b.test'], false])
  await question('a.test').answer('10.0.0.1')
  // Half of a service would take the calls of the whole.
  expect([changes, ready()]).toEqual([[], false])
  await question('b.test').answer('10.0.0.2', '10.0.0.3')
  const of = (name: string, ip: string, port: number, origin = `http://${name}`): Address => ({
    key: `http://${ip}:${port}/v1 ${name}`,
    origin,
    host: ip,
    port,
    path: '/v1',
  })
  const b = ['10.0.0.2', '10.0.0.3'].map((ip) => of('b.test', ip, 80))
  expect(changes).toEqual([[of('a.test', '10.0.0.1', 8081, 'http://a.test:8081'), ...b]])
  expect(ready()).toBe(true)
})

test('a service that returns to an old target asks for it anew', async () => {
  const { keys, question, pass } = startSetting(['srv://_http._tcp.c'])
  const rounds = [
    // Asked for again after the service is, so that nobody asks for it when that moves on.
    ['a', '10.0.0.1', second],
    ['b', '10.0.0.2', 0],
    ['a', '10.0.0.3', 0],
  ] as const
  for (const [name, ip, ms] of rounds) {
    await question('_http._tcp.c').serve({ name })
    pass(ms)
    await question(name).answer(ip)
    expect(keys()).toEqual([`http://${ip}:80 ${name}`])
    pass(5 * second - ms)
  }
})

test('a service that returns to a target which is still asked for does not ask twice', async () => {
  const { keys, question, asked, pass, wheel } = startSetting(['srv://_http._tcp.c'])
  await question('_http._tcp.c').serve({ name: 'a' })
  await question('a').answer('10.0.0.1')
  for (const name of ['b', 'a']) {
    pass(5 * second)
    await question('_http._tcp.c').serve({ name })
    if (name === 'b') await question('b').answer('10.0.0.2')
  }
  expect(asked()).toEqual(['a', 'b'])
  await question('a').answer('10.0.0.3')
  expect(keys()).toEqual(['http://10.0.0.3:80 a'])
  // Of b no more will be asked once it has answered.
  await question('b').answer('10.0.0.2')
  expect(wheel.size).toBe(2)
})

test('what is asked of nobody else is asked of the machine', async () => {
  const { changes, resolver } = startSetting(['http://localhost'], { lookup: undefined as never })
  await resolver.ready
  resolver.stop()
  expect(changes.flat().map(({ key }) => key)).toContain('http://127.0.0.1:80 localhost')
})

test('endpoints of one service are told apart, and it is asked for once', async () => {
  const { keys, question, asked, wheel, resolver } = startSetting([
    ['srv://_http._tcp.c', '/v1'],
    ['srv://_http._tcp.c', '/v2'],
  ])
  expect(asked()).toEqual(['_http._tcp.c'])
  await question('_http._tcp.c').serve({ name: 'a' })
  await question('a').answer('10.0.0.1')
  expect(keys()).toEqual(['http://10.0.0.1:80/v1 a', 'http://10.0.0.1:80/v2 a'])
  resolver.stop()
  expect(wheel.size).toBe(0)
})

test('the targets of a service called _https are spoken to by https', async () => {
  const { changes, question } = startSetting(['srv://_https._tcp.users.test'])
  await question('_https._tcp.users.test').serve({ name: 'A.test', port: 8443 })
  await question('a.test').answer('10.0.0.1')
  expect(changes.flat()).toMatchObject([{ key: 'https://10.0.0.1:8443 a.test', origin: 'https://a.test:8443' }])
})

test('a service moves to new targets once it is known where they are, and asks for the old no more', async () => {
  const { keys, changes, question, asked, pass, wheel } = startSetting(['srv://_http._tcp.c'])
  await question('_http._tcp.c').serve({ name: 'a' })
  await question('a').answer('10.0.0.1')
  pass(5 * second)
  await question('a').answer('10.0.0.1')
  await question('_http._tcp.c').serve({ name: 'b' })
  expect(keys()).toEqual(['http://10.0.0.1:80 a'])
  await question('b').fail()
  expect(keys()).toEqual(['http://10.0.0.1:80 a'])
  pass(5 * second)
  await question('a').answer('10.0.0.9')
  expect(keys()).toEqual(['http://10.0.0.9:80 a'])
  await question('b').answer('10.0.0.2')
  expect(keys()).toEqual(['http://10.0.0.2:80 b'])
  await question('_http._tcp.c').fail()
  pass(5 * second)
  expect([asked(), wheel.size, changes.length]).toEqual([['_http._tcp.c', 'b'].sort(), 2, 3])
})

test('a service is not held up by a target that is not found, or by a name that is none', async () => {
  const { keys, question, asked, ready, resolver } = startSetting(['srv://_http._tcp.c'])
  const odd = ['', 'a b', 'a/b', 'x@a', '999.999.999.999', '1.2.3', 'a:81', 'é'].map((name) => ({ name }))
  await question('_http._tcp.c').serve({ name: 'a' }, { name: 'b' }, { name: '10.0.0.7' }, ...odd)
  expect(asked()).toEqual(['a', 'b'])
  await question('b').fail()
  await question('a').answer('10.0.0.1')
  expect(keys()).toEqual(['http://10.0.0.1:80 a', 'http://10.0.0.7:80'])
  expect([ready(), resolver.failed]).toEqual([true, 'dns_error'])
})

test('a service without targets is a failure', async () => {
  const { changes, failures, question, ready } = startSetting(['srv://_http._tcp.c'])
  await question('_http._tcp.c').serve({ name: '' })
  expect([changes, ready(), failures]).toEqual([[], true, [['_http._tcp.c', 'dns_error', 'no address']]])
})

test('a target that has a name of its own is followed while either needs it', async () => {
  const { keys, question, asked, pass } = startSetting(['http://a', 'srv://_http._tcp.c'])
  await question('a').answer('10.0.0.1')
  await question('_http._tcp.c').serve({ name: 'a', port: 81 })
  expect(asked()).toEqual([])
  expect(keys()).toEqual(['http://10.0.0.1:80 a', 'http://10.0.0.1:81 a'])
  pass(5 * second)
  await question('_http._tcp.c').serve({ name: 'b', port: 81 })
  await question('b').answer('10.0.0.2')
  await question('a').answer('10.0.0.3')
  expect(keys()).toEqual(['http://10.0.0.2:81 b', 'http://10.0.0.3:80 a'])
})

test('whatever is answered, what is known is the last good answer of each name, told once', async () => {
  const ips = fc.subarray(['10.0.0.1', '10.0.0.2', '10.0.0.3'])
  const deed = fc.record({ name: fc.constantFrom('a', 'b'), ms: fc.constantFrom(0, 100, second, 9 * second), ips })
  await fc.assert(
    fc.asyncProperty(fc.array(deed, { maxLength: 40 }), async (deeds) => {
      const { resolver, question, asked, pass, keys, changes, wheel } = startSetting(['http://a', 'http://b'])
      const known: Record<string, string[]> = {}
      for (const { name, ms, ips: found } of deeds) {
        pass(ms)
        const names = asked()
        expect(new Set(names).size).toBe(names.length)
        if (!names.includes(name)) continue
        await (found.length > 0 ? question(name).answer(...found) : question(name).fail())
        if (found.length > 0) known[name] = found
        const expected = Object.entries(known).flatMap(([one, all]) => all.map((ip) => `http://${ip}:80 ${one}`))
        expect(keys()).toEqual(expected.sort())
      }
      const told = changes.map((one) =>
        one
          .map(({ key }) => key)
          .sort()
          .join(),
      )
      expect(told.every((one, i) => one !== told[i - 1])).toBe(true)
      resolver.stop()
      expect(wheel.size).toBe(0)
    }),
  )
})

test('U23: names are followed while a server fails, is silent, answers late and says otherwise', async () => {
  const service = { name: 'pod.test', port: 8080, priority: 0, weight: 0 }
  await using dns = await startDns({ 'a.test': ['127.0.0.1', '::1'], '_http._tcp.users.test': [service] })
  let now = 0
  const wheel = new Wheel(() => now)
  const news: string[][] = []
  const failures: string[] = []
  let asking = 0
  const counted =
    <T>(ask: (name: string) => Promise<T>) =>
    (name: string): Promise<T> => {
      asking++
      return ask(name).finally(() => asking--)
    }
  const resolver = new Resolver({
    endpoints: ['http://a.test', 'srv://_http._tcp.users.test'].map((origin) => ({ origin, path: '' })),
    everyMs: 5 * second,
    timeoutMs: 2 * second,
    wheel,
    random: () => 0.5,
    lookup: counted(dns.lookup),
    resolveSrv: counted(dns.resolveSrv),
    onChange: (addresses) => void news.push(addresses.map(({ key }) => key).sort()),
    onFailure: (name, error) => void failures.push(`${name} ${error}`),
  })
  const answered = async (): Promise<void> => {
    do await turn()
    while (asking > 0)
  }
  const pass = (ms: number): void => {
    now += ms
    wheel.advance()
  }
  const [v4, v6] = ['http://127.0.0.1:80 a.test', 'http://[::1]:80 a.test']
  await resolver.ready
  expect([news, failures, resolver.failed]).toEqual([[[v4, v6]], ['pod.test dns_error'], 'dns_error'])

  dns.set('pod.test', ['127.0.0.2'])
  pass(5 * second)
  await answered()
  expect(resolver.failed).toBe(null)
  expect(news.at(-1)).toEqual([v4, 'http://127.0.0.2:8080 pod.test', v6])

  dns.set('a.test', 'SERVFAIL')
  dns.set('_http._tcp.users.test', [{ ...service, port: 8081 }])
  pass(5 * second)
  await answered()
  expect(resolver.failed).toBe('dns_error')
  expect(news.at(-1)).toEqual([v4, 'http://127.0.0.2:8081 pod.test', v6])

  dns.set('a.test', 'silent')
  pass(5 * second)
  pass(2 * second)
  expect(failures).toContain('a.test dns_timeout')
  dns.set('a.test', ['127.0.0.3'])
  await answered()
  expect([resolver.failed, news.length]).toEqual([null, 4])
  expect(news.at(-1)).toEqual(['http://127.0.0.2:8081 pod.test', 'http://127.0.0.3:80 a.test'])
  resolver.stop()
  expect(wheel.size).toBe(0)
})
