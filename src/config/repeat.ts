import { z } from 'zod'

import { duration, positive, share, whole } from './units.ts'

const off = z.enum(['off']).transform(() => null)

const ttl = z.union([positive, z.enum(['http'])], { error: 'expected a duration such as 5m, or http' })

const cacheDetail = z
  .strictObject({
    ttl: ttl.describe('How long a reply is fresh; http: as RFC 9111 allows a shared cache.'),
    stale: duration.describe('How long after that it may stand in while it is fetched anew.').exactOptional(),
    onError: duration.describe('How long after that it may stand in when fetching fails.').exactOptional(),
    heuristic: share
      .describe(
        'With http: the share of the time since its last change for which a reply that says nothing is fresh; default: 0%.',
      )
      .exactOptional(),
    vary: z.array(z.string()).describe('References whose values keep replies apart.').exactOptional(),
    tags: z.array(z.string()).describe('Templates of names by which replies can be purged.').exactOptional(),
  })
  .refine((one) => one.heuristic === undefined || one.ttl === 'http', {
    error: '"heuristic" means nothing with a duration: ttl says how long a reply is fresh',
    path: ['heuristic'],
  })

/** When a reply may be used again: `5m`, `http` (what RFC 9111 allows a shared cache), `off`, or the details. */
export const cache = z.union(
  [off, ttl.transform((fresh): z.output<typeof cacheDetail> => ({ ttl: fresh })), cacheDetail],
  {
    error: 'expected a duration such as 5m, http, off, or a map with ttl, stale, onError, heuristic, vary, tags',
  },
)

/** When a reply may be used again, as it is written; null: never. */
export type Cache = z.output<typeof cache>

const retryDetail = z.strictObject({
  more: whole(0, 10).describe('Further attempts after the first.').prefault(1),
  budget: share
    .describe('Most further attempts, as a share of all calls of the upstream; default: 20%.')
    .exactOptional(),
})

/** Further attempts after a failed one: their number, or the details. */
export const retry = z.union(
  [
    whole(0, 10)
      .transform((more): unknown => ({ more }))
      .pipe(retryDetail),
    retryDetail,
  ],
  {
    error: 'expected a number of further attempts, or a map with more, budget',
  },
)

const after = z.union(
  [
    positive,
    z
      .string()
      .regex(/^p[5-9]\d$/)
      .meta({ title: 'percentile', examples: ['p95'] }),
  ],
  {
    error: 'expected a percentile such as p95, or a duration such as 250ms',
  },
)

/** When a second attempt races the first: `p95`, a duration, `off`, or the details. */
export const hedge = z.union(
  [
    off,
    after.transform((moment) => ({ after: moment })),
    z.strictObject({ after: after.describe('A percentile of the upstream’s own latency, or a duration.') }),
  ],
  { error: 'expected a percentile such as p95, a duration such as 250ms, off, or a map with after' },
)
