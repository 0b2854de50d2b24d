import { expect, test } from 'vitest'
import { forwardedBy } from '../../src/server/forwarded.ts'
import { ask, request } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { json, startOrigin } from '../support/origin.ts'

const spoofed = {
  host: 'shop.test',
  'x-forwarded-for': '203.0.113.9',
  'x-forwarded-host': 'evil.test',
  'x-forwarded-proto': 'https',
  'x-forwarded-port': '666',
  'x-forwarded-prefix': '/evil',
  'x-real-ip': '203.0.113.9',
  forwarded: 'for=203.0.113.9;host=evil.test;proto=https',
}

const names = Object.keys(spoofed).filter((name) => name !== 'host')

async function told(headers: Record<string, string>, more?: string): Promise<Record<string, string | undefined>> {
  await using origin = await startOrigin((_, socket) => void socket.write(json({})))
  const routes = `
upstreams: { o: { endpoints: ["${origin.url}"] } }
routes:
  - match: ANY /f/*
    forward: o /{params.*}
  - match: GET /s
    steps: { a: { call: GET o /a } }
`
  await using gateway = await startGateway(routes, more)
  expect((await ask(gateway.port, request('GET', '/f/x', headers))).status).toBe(200)
  expect((await ask(gateway.port, request('GET', '/s', headers))).status).toBe(200)
  // A step sends what is configured, and none of these is.
  for (const name of names) expect(origin.requests.at(-1)?.headers).not.toHaveProperty([name])
  const arrived = origin.requests.at(0)?.headers ?? {}
  return Object.fromEntries(names.map((name) => [name, arrived[name]]))
}

const ours = {
  'x-forwarded-for': '127.0.0.1',
  'x-forwarded-host': 'shop.test',
  'x-forwarded-proto': 'http',
  'x-forwarded-port': undefined,
  'x-forwarded-prefix': undefined,
  'x-real-ip': '127.0.0.1',
  forwarded: 'for=127.0.0.1;host="shop.test";proto=http',
}

test('C17: an upstream is told who the client is, where it went and how', async () => {
  expect(await told({ host: 'shop.test' })).toEqual(ours)
})

test('C17: what a client says of itself is overwritten', async () => {
  expect(await told(spoofed)).toEqual(ours)
  expect(await told(spoofed, 'trustedProxies: [10.0.0.0/8, 127.0.0.2, "::1"]')).toEqual(ours)
})

test.each(['127.0.0.1', '127.0.0.0/8'])(
  'C17: what a trusted proxy (%s) says is kept, and our word added to it',
  async (proxy) => {
    expect(await told(spoofed, `trustedProxies: [${proxy}]`)).toEqual({
      'x-forwarded-for': '203.0.113.9, 127.0.0.1',
      'x-forwarded-host': 'evil.test',
      'x-forwarded-proto': 'https',
      'x-forwarded-port': '666',
      'x-forwarded-prefix': '/evil',
      'x-real-ip': '203.0.113.9',
      forwarded: 'for=203.0.113.9;host=evil.test;proto=https, for=127.0.0.1;host="shop.test";proto=http',
    })
    expect(await told({ host: 'shop.test' }, `trustedProxies: [${proxy}]`)).toEqual(ours)
  },
)

const from = (remoteAddress: string | undefined, proxies: readonly string[] = []): Record<string, string> => {
  const headers = { host: 'h', 'x-forwarded-for': '203.0.113.9' }
  const flat = forwardedBy(proxies)({ headers, socket: { remoteAddress } } as never)
  return Object.fromEntries(flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1] as string]] : [])))
}

test('C17: an IPv6 client is written as RFC 7239 has it, and an IPv4 one of a socket for both as what it is', () => {
  expect(from('2001:db8::1')['forwarded']).toBe('for="[2001:db8::1]";host="h";proto=http')
  expect(from('2001:db8::1')['x-forwarded-for']).toBe('2001:db8::1')
  expect(from('::ffff:192.0.2.1')['x-forwarded-for']).toBe('192.0.2.1')
  expect(from('::ffff:192.0.2.1', ['192.0.2.0/24'])['x-forwarded-for']).toBe('203.0.113.9, 192.0.2.1')
  expect(from('2001:db8::1', ['2001:db8::/32'])['x-forwarded-for']).toBe('203.0.113.9, 2001:db8::1')
})

test('C17: a client that has left before it is looked at has no address, and is not believed', () => {
  expect(from(undefined, ['0.0.0.0/0'])).toMatchObject({
    'x-forwarded-for': 'unknown',
    forwarded: 'for=unknown;host="h";proto=http',
  })
})
