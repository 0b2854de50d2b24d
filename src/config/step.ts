import { z } from 'zod'

import { headers, name, template } from './names.ts'
import { cache, hedge, retry } from './repeat.ts'
import { flag, positive, short, text, whole } from './units.ts'

/** Methods that a call can have. */
export const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const

const callDetail = z.strictObject({
  method: z.enum(methods).describe('The method of the call.').prefault('GET'),
  upstream: name.describe('The upstream that is called.'),
  path: z
    .string({ error: 'expected a path such as /countries/{params.code}' })
    .startsWith('/', { error: 'expected a path that begins with /' })
    .describe('The path, a template; appended to the base path of the endpoint.'),
  query: z
    .union([z.string(), z.record(z.string(), text)], { error: 'expected "{query}", or a map of fields' })
    .describe('Query fields, each a template; "{query}" passes the whole query on.')
    .exactOptional(),
  headers: headers.describe('Headers to send, each a template.').exactOptional(),
  body: template.describe('The JSON body to send, a template; "{body}" sends the client’s as it came.').exactOptional(),
})

const call = z.union(
  [
    short(
      /^(?<method>\S+)\s+(?<upstream>\S+)\s+(?<path>\/.*)$/,
      'METHOD upstream /path',
      'GET countries /countries/{params.code}',
      callDetail,
    ),
    callDetail,
  ],
  { error: 'expected METHOD upstream /path, or a map with method, upstream, path, query, headers, body' },
)

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()], {
  error: 'expected text, a number, true, false or null',
})

const condition = z.union(
  [
    z.string(),
    z.record(
      z.string(),
      z.union([scalar.transform((value) => [value]), z.array(scalar)], {
        error: 'expected a value, or a list of values',
      }),
    ),
  ],
  { error: 'expected a reference, or a map of references to values' },
)

const STATUS = 'expected a status from 200 to 599, or 2xx, 3xx, 4xx, 5xx'

const statuses = z.union(
  [
    whole(200, 599).transform((status) => [status]),
    z
      .string()
      .regex(/^[2-5]xx$/, { error: STATUS })
      .meta({ title: '2xx to 5xx', examples: ['2xx'] })
      .transform((written) => Array.from({ length: 100 }, (_, index) => Number(written[0]) * 100 + index)),
  ],
  { error: STATUS },
)

const accept = z.union([statuses, z.array(statuses).transform((lists) => [...new Set(lists.flat())])], {
  error: 'expected a status such as 404, or a list such as [2xx, 404]',
})

/** One step of a route: a call, when it is made, and what its reply means. */
export const step = z
  .strictObject({
    call: call.describe('What is called: METHOD upstream /path, or a map for detail.'),
    optional: flag.describe('Whether its failure is no failure of the route.').prefault(false),
    fallback: template.describe('The JSON that stands in when there is no reply.').exactOptional(),
    when: condition
      .describe(
        'Runs the step only if all of this holds: a map of reference to value or list of values, or one reference.',
      )
      .exactOptional(),
    unless: condition.describe('Runs the step only if this does not hold; written as `when`.').exactOptional(),
    each: z
      .string({ error: 'expected a reference such as "{country.borders}"' })
      .describe('Makes one call for each item of this array; {item} and {index} stand for it.')
      .exactOptional(),
    limit: whole(1).describe('Most calls of `each` at once; default 8.').exactOptional(),
    max: whole(1).describe('Most items of `each`; more fail the step; default 100.').exactOptional(),
    accept: accept.describe('Statuses that count as a reply.').prefault('2xx'),
    decode: z
      .enum(['json', 'text'])
      .describe('How a reply is read; its content type is not looked at.')
      .prefault('json'),
    timeout: positive.describe('How long one attempt may take; in place of the upstream’s.').exactOptional(),
    retry: retry.describe('Further attempts; in place of the upstream’s.').exactOptional(),
    hedge: hedge.describe('When a second attempt races the first; in place of the upstream’s.').exactOptional(),
    cache: cache.describe('How long replies are kept; in place of the route’s or the upstream’s.').exactOptional(),
  })
  .refine((one) => one.limit === undefined || one.each !== undefined, only('limit', 'each'))
  .refine((one) => one.max === undefined || one.each !== undefined, only('max', 'each'))
  .transform((one) => ({ limit: 8, max: 100, ...one }))

/** The fault of a key that means nothing without another. */
export function only(key: string, needs: string) {
  return rule(`"${key}" means nothing without "${needs}"`, key)
}

/** The fault of keys that do not go together: told of every map, also when some of its keys are wrong. */
export function rule(error: string, ...path: string[]) {
  return { error, path, when: ({ value }: { value: unknown }) => typeof value === 'object' && value !== null }
}
