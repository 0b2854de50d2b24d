import { isIP } from 'node:net'

import { z } from 'zod'

import { deadline, name } from './names.ts'
import { otlp } from './otlp.ts'
import { redis } from './redis.ts'
import { route } from './route.ts'
import { tls } from './tls.ts'
import { complete, defaults, upstream } from './upstream.ts'
import { duration, flag, positive, share, size, whole } from './units.ts'

const port = whole(0, 65_535)

const host = z
  .string({ error: 'expected a host such as 127.0.0.1' })
  .regex(/^[A-Za-z0-9.:_-]+$/, { error: 'expected a host such as 127.0.0.1 (the port has a key of its own)' })

const peer = z.string().refine(isPeer, { error: 'expected an address or a range such as 10.0.0.0/8' })

function isPeer(written: string): boolean {
  const [address = '', bits, ...rest] = written.split('/')
  const version = isIP(address)
  if (version === 0 || rest.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128))
}

const listen = z.strictObject({
  host: host.describe('The address that clients reach.').prefault('0.0.0.0'),
  port: port.describe('The port that clients reach; 0: any that is free.').prefault(8080),
  drain: duration.describe('How long it goes on serving after SIGTERM, not ready any more.').prefault('5s'),
  limits: z
    .strictObject({
      header: size.describe('The largest block of headers of a request.').prefault('16KiB'),
      headers: whole(1, 2000).describe('Most headers of a request.').prefault(100),
      url: size.describe('The longest URL of a request.').prefault('8KiB'),
    })
    .describe('Bounds of every request.')
    .prefault({}),
  deadline: deadline
    .describe('The header field in which a client says how long it waits, as grpc-timeout does; it shortens budgets.')
    .prefault('grpc-timeout'),
  trustedProxies: z
    .array(peer)
    .describe('Addresses and ranges whose Forwarded and X-Forwarded headers are believed.')
    .prefault([]),
  tls: z
    .strictObject({
      cert: z.string().describe('A file with the certificate.'),
      key: z.string().describe('A file with its key.'),
    })
    .describe('Turns on HTTPS with HTTP/1.1 and HTTP/2.')
    .exactOptional(),
})

const ops = z.strictObject({
  host: host.describe('The address of health, metrics, dashboard and admin.').prefault('127.0.0.1'),
  port: port.describe('Their port; 0: any that is free.').prefault(9090),
  token: z
    .string()
    .describe('Sent as Authorization: Bearer to change things; empty: changes are taken from loopback only.')
    .prefault(''),
})

const telemetry = z.strictObject({
  sample: share
    .describe(
      'The share of requests that are traced where their client does not say; slow and failed ones are as well.',
    )
    .prefault('1%'),
  slow: positive.describe('A request that takes this long is kept as a trace.').prefault('1s'),
  timing: flag
    .describe(
      'Whether clients are told in Server-Timing how long each step took, and what of the loop the request had.',
    )
    .prefault(false),
  blocked: positive
    .describe('A data loop that does one thing for longer is told of and profiled, at most once a minute.')
    .prefault('200ms'),
  ledger: flag.describe("Whether the loop's time is taken down by route, upstream and phase.").prefault(true),
  otlp: otlp
    .describe(
      'An OTLP collector, to which numbers and traces are pushed: its URL, or { url, headers, every, resource }.',
    )
    .prefault(''),
})

/** The whole config file. Reads what the operator wrote into what the gateway lives by. */
export const schema = z
  .strictObject({
    $schema: z
      .string()
      .describe('Where an editor finds the JSON Schema of this file; the gateway does not look at it.')
      .exactOptional(),
    include: z
      .array(z.string())
      .describe('Further files, with * for any name, that add upstreams and routes; relative to this file.')
      .exactOptional(),
    listen: listen.describe('Where clients come in.').prefault({}),
    ops: ops.describe('Where operators come in.').prefault({}),
    loops: z
      .union([whole(1, 1024), z.enum(['auto'])], { error: 'expected a number of loops, or auto' })
      .describe('Data loops, each on a CPU of its own; auto: one per CPU.')
      .prefault(1),
    cache: z
      .strictObject({
        memory: size.describe('Memory for replies, of each data loop.').prefault('64MiB'),
        redis: redis
          .describe(
            'Redis, which gateways share; empty: memory only. redis://user:password@host:6379/0; rediss:// for TLS; redis+sentinel://host1,host2/master/0?sentinelPassword=…; redis+cluster://host1,host2; rediss+… for TLS there. User and password are percent-encoded. ?prefix=NAME begins all keys; default: oneloop.',
          )
          .prefault(''),
        tls: tls.describe('How the certificate of Redis is judged, and which one it is shown.').exactOptional(),
      })
      .refine((cache) => cache.tls === undefined || cache.redis?.tls === true, {
        error: '"tls" means nothing without a URL that begins with rediss',
        path: ['tls'],
      })
      .describe('Where replies are kept.')
      .prefault({}),
    telemetry: telemetry.describe('What is counted and traced, and where it is sent.').prefault({}),
    defaults: defaults.describe('What all upstreams share unless they say otherwise.').prefault({}),
    upstreams: z.record(name, upstream).describe('The origins behind the gateway, by name.').prefault({}),
    routes: z
      .array(route)
      .min(1, { error: 'expected at least one route' })
      .describe('What the gateway answers; the first route that matches wins.'),
  })
  .transform(({ $schema: _, include: __, defaults: shared, upstreams, ...rest }) => ({
    ...rest,
    upstreams: Object.fromEntries(Object.entries(upstreams).map(([key, own]) => [key, complete(own, shared)])),
  }))

/** What the gateway lives by: every default filled in, times in ms, sizes in bytes, shares from 0 to 1. */
export type Config = z.output<typeof schema>
