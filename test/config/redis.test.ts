import { expect, test } from 'vitest'
import { redis } from '../../src/config/redis.ts'
import { certify } from '../support/certificate.ts'
import { faults, folder } from './reading.ts'

const usual = { tls: false, master: '', db: 0, username: '', password: '', sentinelPassword: '', prefix: 'oneloop' }
const at = (host: string, port: number): object => ({ host, port })

test.each([
  ['redis://localhost', { ...usual, kind: 'single', hosts: [at('localhost', 6379)] }],
  ['redis://10.0.0.1:1/3', { ...usual, kind: 'single', hosts: [at('10.0.0.1', 1)], db: 3 }],
  ['redis://[::1]:2/', { ...usual, kind: 'single', hosts: [at('::1', 2)] }],
  ['rediss://r.example', { ...usual, kind: 'single', tls: true, hosts: [at('r.example', 6379)] }],
  ['redis://:a%40b@h', { ...usual, kind: 'single', hosts: [at('h', 6379)], password: 'a@b' }],
  [
    'redis://u:a:b@h?prefix=shop',
    { ...usual, kind: 'single', hosts: [at('h', 6379)], username: 'u', password: 'a:b', prefix: 'shop' },
  ],
  [
    'redis+sentinel://s1,s2:1/main',
    { ...usual, kind: 'sentinel', hosts: [at('s1', 26_379), at('s2', 1)], master: 'main' },
  ],
  [
    'rediss+sentinel://:p@s1/main/2?sentinelPassword=q',
    {
      ...usual,
      kind: 'sentinel',
      tls: true,
      hosts: [at('s1', 26_379)],
      master: 'main',
      db: 2,
      password: 'p',
      sentinelPassword: 'q',
    },
  ],
  ['redis+cluster://a:1,b', { ...usual, kind: 'cluster', hosts: [at('a', 1), at('b', 6379)] }],
  ['', null],
])('%s is read', (url, address) => {
  expect(redis.parse(url)).toEqual(address)
})

test.each([
  ['localhost:6379', 'expected a URL such as redis://'],
  ['http://localhost', 'expected a URL such as redis://'],
  ['redis://', 'expected a URL such as redis://'],
  ['redis+sentinel://', 'expected a URL such as redis://'],
  ['redis+other://h', 'expected a URL such as redis://'],
  ['redis://h:0', 'a host or a port is none'],
  ['redis://h:65536', 'a host or a port is none'],
  ['redis://h:port', 'a host or a port is none'],
  ['redis://a b', 'a host or a port is none'],
  ['redis://[1::2::3]', 'a host or a port is none'],
  ['redis://a,,b', 'a host or a port is none'],
  ['redis://a,b', 'several hosts need redis+sentinel:// or redis+cluster://'],
  ['redis://h/name', 'expected a database such as /0'],
  ['redis://h/1/2', 'expected a database such as /0'],
  ['redis+sentinel://h', 'needs the name of the master'],
  ['redis+cluster://h/1', 'a cluster has no databases but 0'],
  ['redis://:%zz@h', 'not percent-encoded'],
  ['redis://h?db=1', 'unknown parameter; there are prefix, sentinelPassword'],
])('%s is a fault that says why', (url, why) => {
  const { error } = redis.safeParse(url)
  expect(error?.issues.map(({ message }) => message)).toEqual([expect.stringContaining(why)])
})

const config = (cache: string): string => `
cache: ${cache}
upstreams: { a: { endpoints: ["http://127.0.0.1:1"] } }
routes:
  - { match: GET /, forward: a }
`

test('a URL is told with its place and without its password', () => {
  const told = faults(config('{ memory: 1MiB, redis: "redis://:hunter2@h:x" }'))
  expect(told).toEqual([expect.stringMatching(/^2:31: expected a URL such as redis:.* a host or a port is none$/)])
  expect(told.join()).not.toContain('hunter2')
})

test('certificates are for a URL that begins with rediss', async () => {
  const files = {
    'ca.pem': certify({}).cert,
    'plain.yaml': config('{ redis: "redis://h", tls: { ca: ca.pem } }'),
    'secure.yaml': config('{ redis: "rediss://h", tls: { ca: ca.pem } }'),
  }
  using written = folder(files)
  const [plain, secure] = [await written.load('plain.yaml'), await written.load('secure.yaml')]
  expect(plain.faults).toEqual(['plain.yaml:2:30: "tls" means nothing without a URL that begins with rediss'])
  expect([secure.faults, secure.config?.cache.tls]).toEqual([[], { ca: files['ca.pem'] }])
})
