import { z } from 'zod'

import { cache, hedge, retry } from './repeat.ts'
import { deadline, headers } from './names.ts'
import { tls } from './tls.ts'
import { duration, flag, positive, share, size, whole } from './units.ts'

/** Calls to one upstream that may be under way at once. */
export interface Limit {
  readonly adaptive: boolean
  readonly max: number
  /** Calls that may wait for a permit. */
  readonly queue: number
  /** How long each may wait, in ms; unwritten, a burst may wait longer than a standing queue. */
  readonly wait?: number
}

/** Where an upstream listens: what a URL says, without a slash at the end of the path. */
export interface Endpoint {
  readonly origin: string
  readonly path: string
}

const URL_EXPECTED = 'expected a URL such as http://127.0.0.1:4101'

const endpoint = z
  .string({ error: URL_EXPECTED })
  .meta({ title: 'URL', pattern: '^(https?|srv)://' })
  .transform((written, context): Endpoint => {
    const url = URL.parse(written)
    const wrong = url === null ? URL_EXPECTED : wrongUrl(url, written)
    if (url !== null && wrong === undefined) {
      return { origin: `${url.protocol}//${url.host}`, path: url.pathname.replace(/\/+$/, '') }
    }
    context.issues.push({ code: 'custom', input: written, message: wrong ?? URL_EXPECTED })
    return z.NEVER
  })

function wrongUrl(url: URL, written: string): string | undefined {
  if (!['http:', 'https:', 'srv:'].includes(url.protocol)) return 'expected a URL of http or https'
  if (url.host === '') return URL_EXPECTED
  // A lone `?` or `#` leaves `search` and `hash` empty, so the text itself is asked.
  if (url.protocol === 'srv:' && url.port !== '') return 'a service has no port: its records tell the ports'
  if (url.protocol === 'srv:' && !/^_[^.]+\._tcp\../.test(url.host)) {
    return 'expected a service such as srv://_http._tcp.users.example.com'
  }
  if (written.includes('?')) return 'an endpoint has no query: write it in the path of the call'
  if (written.includes('#')) return 'an endpoint has no fragment'
  if (url.username !== '' || url.password !== '') {
    return 'an endpoint has no user or password: write headers: { authorization: … }'
  }
  return undefined
}

const limit = z.union(
  [
    whole(1).transform((max) => ({ max })),
    z.enum(['adaptive']).transform(() => ({ adaptive: true })),
    z.strictObject({
      adaptive: flag
        .describe('Whether the limit is learned from latencies, max being the most; it is unless max is written.')
        .exactOptional(),
      max: whole(1).describe('Most calls at once; default: connections × endpoints.').exactOptional(),
      queue: whole(0).describe('Most calls that wait for a permit; default: 10 × max.').exactOptional(),
      wait: duration
        .describe(
          'How long a call waits for a permit before it is refused; default: 20ms, for a queue younger than 500ms as long as that.',
        )
        .exactOptional(),
    }),
  ],
  { error: 'expected a number of calls, adaptive, or a map with adaptive, max, queue, wait' },
)

const off = z.enum(['off']).transform(() => null)

const some = share.refine((fraction) => fraction > 0, { error: 'expected more than 0%' })

const breakerDetail = z.strictObject({
  failures: some.describe('The share of calls whose failure opens the breaker.').prefault('50%'),
  of: whole(1).describe('Fewest calls that can open it.').prefault(20),
  within: positive.describe('The time over which calls are counted.').prefault('10s'),
  open: positive
    .describe('How long it stays open before a probe is let through; doubled while it relapses, up to 1m.')
    .prefault('5s'),
  slow: z
    .strictObject({
      over: positive.describe('A call that takes longer is slow.'),
      share: some.describe('The share of slow calls that opens the breaker.').prefault('50%'),
    })
    .describe('Opens it for slow calls as well.')
    .exactOptional(),
})

const breaker = z.union([off, breakerDetail], { error: 'expected off, or a map with failures, of, within, open, slow' })

// More often would be a load on whoever is asked.
const seldom = duration.refine((ms) => ms >= 100, { error: 'expected at least 100ms' })

const ejectionDetail = z.strictObject({
  failures: whole(1).describe('Failures in a row that eject an endpoint.').prefault(5),
  for: positive
    .describe('How long it is left out, times the number of its ejections, up to ten times.')
    .prefault('30s'),
})

const health = z.strictObject({
  path: z.string().startsWith('/', { error: 'expected a path such as /healthz' }).describe('What is asked for.'),
  every: seldom.describe('How often each endpoint is asked.').prefault('5s'),
})

const settings = {
  timeout: positive.describe('How long one attempt may take.').prefault('2s'),
  connect: positive.describe('How long connecting may take, TLS included.').prefault('1s'),
  connections: whole(1).describe('Most connections to one endpoint.').prefault(128),
  pipelining: whole(1, 16)
    .describe(
      'How many GETs of steps go over a connection ahead of their replies, while the loop is more than 80% busy. Only for an upstream that answers quickly and whose lengths can be trusted: a slow reply holds up those behind it, and one that is longer than it says would be taken for the next.',
    )
    .prefault(1),
  limit: limit
    .describe(
      'Most calls under way at once: adaptive (learned from latencies, at most as many as there are connections), a number, or { adaptive, max, queue, wait }. 10 times as many may wait.',
    )
    .prefault('adaptive'),
  headers: headers
    .describe('Headers sent with every call. Those of `defaults` are sent as well, unless named again.')
    .prefault({}),
  maxBody: size.describe('The largest body of a reply, decoded.').prefault('10MiB'),
  maxHeaders: size.describe('The largest block of headers of a reply.').prefault('16KiB'),
  redirects: whole(0, 3).describe('How many redirects are followed, within the same origin.').prefault(0),
  trusted: flag.describe('Whether JSON that is spliced into a response is taken without a check.').prefault(false),
  retry: retry.describe('Further attempts: how many, or { more, budget }.').prefault({}),
  hedge: hedge
    .describe('When a second attempt races the first: a duration, p95, or off, which it is unless written.')
    .prefault('off'),
  breaker: breaker
    .describe('When calls are refused at once because most of them fail: off, or a map for detail.')
    .prefault({}),
  ejection: z
    .union([off, ejectionDetail], { error: 'expected off, or a map with failures, for' })
    .describe('When an endpoint that fails is left out for a while: off, or a map for detail.')
    .prefault({}),
  health: health.describe('Active checks of each endpoint.').exactOptional(),
  cache: cache.describe('How long replies are kept: a duration, http, off, or a map for detail.').exactOptional(),
  tls: tls.describe('How the upstream’s certificate is judged, and the gateway’s own.').exactOptional(),
  http2: flag
    .describe('Whether HTTP/2, and nothing else, is spoken to it: by ALPN over TLS, at once without.')
    .prefault(false),
  resolve: seldom.describe('How often the upstream’s name is resolved anew.').prefault('5s'),
  deadline: deadline
    .describe('The header field that tells the upstream how much time is left, written as grpc-timeout is; or off.')
    .prefault('grpc-timeout'),
}

/** What all upstreams share unless they say otherwise: holds the value of every key that nobody wrote. */
export const defaults = z.strictObject(settings)

/** An upstream as written: a key that is not written is absent, and `defaults` has its value. */
export const upstream = z.strictObject({
  endpoints: z
    .array(endpoint)
    .min(1, { error: 'expected at least one endpoint' })
    .describe('URLs of http or https, each with or without a base path; chosen by power of two choices.'),
  ...unfilled(settings),
})

/** Fills what an upstream leaves unsaid. */
export function complete(own: z.output<typeof upstream>, shared: z.output<typeof defaults>) {
  const merged = { ...shared, ...own, headers: { ...shared.headers, ...own.headers } }
  const most = merged.connections * merged.endpoints.length
  return { ...merged, limit: limited(merged.limit, most), retry: { budget: usualBudget, ...merged.retry } }
}

// behaviour.md, retry.
const usualBudget = 0.2

function limited(written: z.output<typeof limit>, most: number): Limit {
  // Who writes how many knows it; who writes only how long to wait does not.
  const filled = { adaptive: !('max' in written), max: most, ...written }
  return { queue: 10 * filled.max, ...filled }
}

type Unfilled<Shape> = {
  [Key in keyof Shape]: Shape[Key] extends z.ZodPrefault<infer Inner extends z.core.SomeType>
    ? z.ZodExactOptional<Inner>
    : Shape[Key]
}

function unfilled<Shape extends Record<string, z.ZodType>>(shape: Shape): Unfilled<Shape> {
  const entries = Object.entries(shape).map(([key, schema]) => [
    key,
    schema instanceof z.ZodPrefault ? z.exactOptional(schema.unwrap()) : schema,
  ])
  return Object.fromEntries(entries) as Unfilled<Shape>
}
