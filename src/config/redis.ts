import { isIP } from 'node:net'

import { z } from 'zod'

/** Where Redis is and how one comes in. */
export interface RedisAddress {
  readonly kind: 'single' | 'sentinel' | 'cluster'
  readonly tls: boolean
  /** One server; sentinels; or some nodes of a cluster, which know the others. */
  readonly hosts: readonly { readonly host: string; readonly port: number }[]
  /** The name that sentinels know the master by. */
  readonly master: string
  readonly db: number
  readonly username: string
  readonly password: string
  readonly sentinelPassword: string
  /** What all keys begin with. */
  readonly prefix: string
}

const FORM =
  /^redis(?<s>s?)(?:\+(?<kind>sentinel|cluster))?:\/\/(?:(?<user>[^@/?]*)@)?(?<hosts>[^/?#@]+)(?:\/(?<path>[^?#/]*))?(?:\/(?<db>\d+))?(?:\?(?<query>[^#]*))?$/
const HOST = /^(?:\[(?<v6>[0-9a-fA-F:.]+)\]|(?<name>[A-Za-z0-9._-]+))(?::(?<port>\d{1,5}))?$/

const form =
  'expected a URL such as redis://user:password@host:6379/0, rediss:// for TLS, redis+sentinel://host1,host2/master or redis+cluster://host1,host2'
const defaultPort = { single: 6379, sentinel: 26_379, cluster: 6379 } as const
const parameters = ['prefix', 'sentinelPassword']

/** The URL of Redis, read to what it says; null when it is empty. No message shows it: it may have a password in it. */
export const redis = z
  .string({ error: form })
  .meta({ examples: ['redis://localhost:6379'] })
  .transform((written, context): RedisAddress | null => {
    if (written === '') return null
    const read = readAddress(written)
    if (typeof read !== 'string') return read
    context.issues.push({ code: 'custom', input: written, message: read })
    return z.NEVER
  })

/** Reads a URL, or says what is wrong with it. */
function readAddress(written: string): RedisAddress | string {
  const groups = FORM.exec(written)?.groups
  if (groups === undefined) return form
  const { s, kind: named = 'single', user, path = '', db, query = '' } = groups
  const kind = named as RedisAddress['kind']
  const hosts = (groups['hosts'] ?? '').split(',').map((host) => readHost(host, defaultPort[kind]))
  if (!hosts.every((host) => host !== null)) return `${form}: a host or a port is none`
  if (kind === 'single' && hosts.length > 1) return 'several hosts need redis+sentinel:// or redis+cluster://'
  if (kind === 'sentinel' && path === '')
    return 'redis+sentinel:// needs the name of the master: redis+sentinel://host/name'
  const number = kind === 'sentinel' ? (db ?? '0') : path === '' ? '0' : path
  if (!/^\d{1,4}$/.test(number) || (kind !== 'sentinel' && db !== undefined)) return 'expected a database such as /0'
  if (kind === 'cluster' && number !== '0') return 'a cluster has no databases but 0'
  const credentials = readCredentials(user)
  if (credentials === null) return 'user or password is not percent-encoded'
  const given = new URLSearchParams(query)
  const unknown = [...given.keys()].find((name) => !parameters.includes(name))
  if (unknown !== undefined) return `unknown parameter; there are ${parameters.join(', ')}`
  return {
    kind,
    tls: s === 's',
    hosts,
    master: kind === 'sentinel' ? path : '',
    db: Number(number),
    ...credentials,
    sentinelPassword: given.get('sentinelPassword') ?? '',
    prefix: given.get('prefix') ?? 'oneloop',
  }
}

function readHost(written: string, defaultPort: number): RedisAddress['hosts'][number] | null {
  const { v6, name, port } = HOST.exec(written)?.groups ?? {}
  const host = v6 ?? name
  if (host === undefined || (v6 !== undefined && isIP(v6) !== 6)) return null
  const number = port === undefined ? defaultPort : Number(port)
  return number >= 1 && number <= 65_535 ? { host, port: number } : null
}

/** A password alone is written `:password`, as all clients have it. */
function readCredentials(written = ''): Pick<RedisAddress, 'username' | 'password'> | null {
  const [username = '', ...password] = written.split(':')
  try {
    return { username: decodeURIComponent(username), password: decodeURIComponent(password.join(':')) }
  } catch {
    return null
  }
}
