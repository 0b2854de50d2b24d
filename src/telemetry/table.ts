import type { Attributes, Kind, Series } from './instruments.ts'

/** What all series of one name have in common. */
interface Row {
  readonly kind: Kind
  readonly unit: string
  readonly description: string
  readonly bounds?: readonly number[]
}

// A gateway's own time is small: the edges that OpenTelemetry recommends begin at 5 ms, where ours is over.
const seconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

const counter = (unit: string, description: string): Row => ({ kind: 'counter', unit, description })
const gauge = (unit: string, description: string): Row => ({ kind: 'gauge', unit, description })
const duration = (description: string): Row => ({ kind: 'histogram', unit: 's', description, bounds: seconds })

/** All that a data loop counts, by name: names and units are OpenTelemetry's where it has one. */
const rows = {
  'oneloop.loop.time': counter('s', "The loop's time by route, upstream and phase; what has none is not known."),
  'http.server.request.duration': duration('Time from the arrival of a request to the end of its response.'),
  'http.server.active_requests': gauge('{request}', 'Requests being served.'),
  'oneloop.requests': counter('{request}', 'Requests by what they came to.'),
  'oneloop.missing': counter('{part}', 'Parts that answers did without.'),
  'oneloop.refusals': counter('{request}', 'Requests refused before any route had them.'),
  'http.client.request.duration': duration('Time of an attempt, from when it may be sent to the end of the reply.'),
  'oneloop.calls': counter('{call}', 'Calls by what they came to.'),
  'oneloop.calls.active': gauge('{call}', 'Calls under way, waiting ones among them.'),
  'oneloop.calls.queued': gauge('{call}', 'Calls that wait for a permit.'),
  'oneloop.calls.limit': gauge('{call}', 'Most calls at once that are allowed now.'),
  'oneloop.cache': counter(
    '{call}',
    'Calls to upstreams whose replies are kept, by what the cache had to do with them.',
  ),
  'oneloop.retries': counter('{attempt}', 'Further attempts after one that failed.'),
  'oneloop.hedges': counter('{attempt}', 'Second attempts that raced the first.'),
  'oneloop.breaker.state': gauge('{state}', '0: closed, 1: half-open, 2: open.'),
  'oneloop.endpoints.out': gauge('{endpoint}', 'Endpoints left out, by ejection or by checks.'),
  'v8js.gc.duration': {
    kind: 'histogram',
    unit: 's',
    description: 'Garbage collections of data loops by how long they held the loop up.',
    bounds: [0.0001, ...seconds.filter((edge) => edge <= 1)],
  },
  'oneloop.connections.broken': counter('{connection}', 'Connections given up since bytes came that nobody asked for.'),
  'oneloop.cache.entries': gauge('{entry}', 'Replies that are kept in memory.'),
  'oneloop.cache.size': gauge('By', 'The bytes that kept replies take in memory.'),
  'oneloop.cache.evictions': counter('{entry}', 'Replies dropped from memory to make room.'),
  'oneloop.redis.up': gauge('{loop}', 'Data loops that are connected to Redis.'),
  'oneloop.redis.errors': counter('{error}', 'What Redis failed at, or what failed on the way to it.'),
} as const satisfies Record<string, Row>

/** The name of what is counted. */
export type Name = keyof typeof rows

/** Makes the series of a name for some attributes. */
export function seriesNamed(name: Name, attributes: Attributes, split?: readonly Attributes[]): Series {
  return { name, ...rows[name], attributes, split }
}
