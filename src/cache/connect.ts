import { isIP } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { Cluster, Redis, type RedisOptions } from 'ioredis'

/** Where Redis is and how one comes in. */
export interface RedisAddress {
  readonly kind: 'single' | 'sentinel' | 'cluster'
  readonly tls: boolean
  readonly hosts: readonly { readonly host: string; readonly port: number }[]
  /** The name that sentinels know the master by. */
  readonly master: string
  readonly db: number
  readonly username: string
  readonly password: string
  readonly sentinelPassword: string
}

/** How a Redis server's certificate is judged, and which one it is shown. */
export interface RedisTls {
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
  readonly serverName?: string | undefined
}

const connectMs = 1_000
// Not what whoever asks waits, which is less: it frees the connection of what nobody waits for any more.
const commandMs = 1_000
const firstPauseMs = 50
const longestPauseMs = 2_000

/** How long to wait before connecting again, 1 being the first time: with jitter, for all gateways lose it together. */
export function pauseMs(times: number): number {
  return Math.min(firstPauseMs * 2 ** times, longestPauseMs) * (0.5 + Math.random() / 2)
}

// ioredis would wait for minutes for a server that is away, and repeat for whoever has long gone.
const impatient = {
  connectTimeout: connectMs,
  commandTimeout: commandMs,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  // The server versions that there are do not all know it.
  disableClientInfo: true,
} as const satisfies RedisOptions

/** What runs inside of Redis, at once: no other command comes between. */
export interface Scripts {
  /** Deletes a key if it has this value. */
  giveBack(key: string, value: string): Promise<number>
  /** Adds a member to a set until a moment, and takes off those whose moment is over. */
  addTo(set: string, now: number, until: number, member: string): Promise<number>
}

const scripts = {
  giveBack: {
    numberOfKeys: 1,
    lua: "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0",
  },
  addTo: {
    numberOfKeys: 1,
    lua: `redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
      redis.call('ZADD', KEYS[1], ARGV[2], ARGV[3])
      if redis.call('PEXPIRETIME', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIREAT', KEYS[1], ARGV[2]) end
      return 1`,
  },
} as const

/** A connection to Redis, whatever kind of Redis it is. */
export type Client = (Redis | Cluster) & Scripts

/** Connects to Redis, and connects anew whenever the connection is lost. It never gives up, nor does it throw. */
export function connectTo(address: RedisAddress, tls: RedisTls): Client {
  const { kind, hosts, master, db, username, password, sentinelPassword } = address
  const secure = address.tls ? { tls: tlsOf(tls) } : {}
  const shared = {
    ...impatient,
    ...secure,
    ...(username !== '' && { username }),
    ...(password !== '' && { password }),
  }
  const both = { scripts, enableOfflineQueue: false, enableAutoPipelining: true }
  const own = { ...shared, ...both, db, retryStrategy: pauseMs }
  if (kind === 'cluster') {
    return new Cluster([...hosts], {
      redisOptions: shared,
      clusterRetryStrategy: pauseMs,
      ...both,
      slotsRefreshTimeout: connectMs,
      // A certificate is for a name: it must not be replaced by the address that it stands for.
      dnsLookup: (name, done) => done(null, name),
    }) as unknown as Client
  }
  if (kind === 'single')
    return new Redis({ ...own, ...(hosts[0] as RedisAddress['hosts'][number]) }) as unknown as Client
  return new Redis({
    ...own,
    sentinels: [...hosts],
    name: master,
    sentinelRetryStrategy: pauseMs,
    ...(sentinelPassword !== '' && { sentinelPassword }),
    ...(address.tls && { enableTLSForSentinelMode: true, sentinelTLS: tlsOf(tls) }),
  }) as unknown as Client
}

/** Makes a second connection to the very server that a first one is connected to, which it does not open by itself. */
export function besides(node: Redis): Redis {
  const { remoteAddress = '', remotePort = 0 } = node.stream
  const { host, tls, username, password, db } = node.options
  const named = host !== undefined && isIP(host) === 0 ? { servername: host } : {}
  return new Redis({
    ...impatient,
    host: remoteAddress,
    port: remotePort,
    ...(tls !== undefined && { tls: { ...named, ...tls } }),
    ...(username && { username }),
    ...(password && { password }),
    ...(db !== undefined && { db }),
    // Invalidations come as messages only so.
    protocol: 2,
    lazyConnect: true,
    retryStrategy: null,
  })
}

function tlsOf({ ca, cert, key, serverName }: RedisTls): ConnectionOptions {
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(serverName !== undefined && { servername: serverName }),
    // Whatever the environment says.
    rejectUnauthorized: true,
  }
}
