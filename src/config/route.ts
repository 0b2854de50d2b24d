import { z } from 'zod'

import { headerName, headers, name, stepName, template } from './names.ts'
import { cache } from './repeat.ts'
import { methods, only, rule, step } from './step.ts'
import { positive, short, size, whole } from './units.ts'

/** A JSON file that was read, and where it lies. */
export interface Document {
  readonly file: string
  readonly content: unknown
}

/** A function that a TypeScript file exports. */
export interface Hook {
  readonly file: string
  readonly name: string
  /** Tells one content of the file from another. */
  readonly version: string
}

/** What RFC 3986 allows in a segment, less `*`, which would look like a pattern. */
const SEGMENT = /^(?:[\w\-.~!$&'()+,;=:@]|%[\dA-Fa-f]{2})*$/

const path = z.string().superRefine((written, context) => {
  const message = wrongPath(written)
  if (message !== undefined) context.addIssue(message)
})

function wrongPath(written: string): string | undefined {
  if (!written.startsWith('/')) return 'expected a path that begins with /'
  if (/[?#]/.test(written)) return 'a route matches the path only: no query, no fragment'
  if (written.includes('//')) return 'a path cannot have an empty segment (//): no request has one'
  const segments = written.slice(1).split('/')
  const params = segments.filter((segment) => segment.startsWith(':'))
  if (new Set(params).size < params.length) return 'a path cannot have two parameters of one name'
  const wrong = segments.map((segment, index) => wrongSegment(segment, index === segments.length - 1))
  return wrong.find((message) => message !== undefined)
}

function wrongSegment(segment: string, last: boolean): string | undefined {
  if (segment === '.' || segment === '..') return 'a path cannot have the segments . and ..: no request has them'
  if (segment === '*') return last ? undefined : '* can only be the last segment of a path'
  if (segment.startsWith(':')) {
    return /^:[A-Za-z_]\w*$/.test(segment) ? undefined : 'expected a parameter such as :code'
  }
  return SEGMENT.test(segment) ? undefined : 'expected segments that are text, :name, or * as the last'
}

const match = short(
  /^(?<method>\S+)\s+(?<path>\S+)$/,
  'METHOD /path',
  'GET /v1/countries/:code',
  z.strictObject({ method: z.enum([...methods, 'ANY']), path }),
)

const forward = short(
  /^(?<upstream>\S+)(?:\s+(?<path>\/.*))?$/,
  'upstream /path',
  'shop /{params.*}',
  z.strictObject({ upstream: name, path: z.string().exactOptional() }),
)

const rate = z.strictObject({
  limit: short(
    /^(?<count>[1-9]\d*)\/(?<per>\S+)$/,
    'requests per time',
    '100/1m',
    z.strictObject({ count: whole(1), per: positive }),
  ).describe('Requests per time, such as 100/1m.'),
  by: z.string().describe('What is counted apart: ip, or a reference such as auth.sub or headers.x-api-key.'),
})

const removed = z.array(headerName)

const request = z.strictObject({
  set: headers.describe('Headers to send, each a template.').prefault({}),
  remove: removed.describe('Headers not to send.').prefault([]),
})

const response = z.strictObject({
  set: headers.describe('Headers to answer with, each a template.').prefault({}),
  remove: removed.describe('Headers not to answer with.').prefault([]),
  from: z.array(name).describe('Steps whose reply’s headers are passed on.').prefault([]),
})

const routeKeys = z.strictObject({
  match: match.describe(
    `METHOD /path; METHOD is ${methods.join(', ')} or ANY, a segment is text, :name, or * as the last.`,
  ),
  name: z
    .string()
    .min(1, { error: 'expected a name' })
    .describe('What metrics and logs call it; default: the match itself.')
    .exactOptional(),
  budget: positive.describe('How long the whole request may take.').prefault('5s'),
  steps: z
    .record(stepName, step)
    .refine((steps) => Object.keys(steps).length > 0, { error: 'expected at least one step' })
    .describe('The calls behind the route, by name. Each starts as soon as the replies that it reads are in.')
    .exactOptional(),
  response: template
    .describe('The JSON to answer with, a template; default: an object with every step by name.')
    .exactOptional(),
  status: whole(200, 599).describe('The status to answer with; default 200.').exactOptional(),
  transform: (z.any() as z.ZodType<Hook>)
    .meta({ type: 'string', pattern: '^.+\\.[cm]?[jt]s#[A-Za-z_$][\\w$]*$' })
    .describe('A function that makes the body, such as ./hooks/profile.ts#shape; the path is relative to this file.')
    .exactOptional(),
  forward: forward
    .describe('Streams the request to an upstream and its reply back: upstream /path; default path: the request’s own.')
    .exactOptional(),
  limits: z
    .strictObject({
      body: size.describe('The largest body of a request; default 1MiB, on a forward route none.').exactOptional(),
    })
    .describe('Bounds of a request.')
    .prefault({}),
  headers: z
    .strictObject({
      request: request.describe('Headers of what goes upstream.').prefault({}),
      response: response.describe('Headers of what the client gets.').prefault({}),
    })
    .describe('Headers to set and to remove.')
    .prefault({}),
  schema: (z.any() as z.ZodType<Document>)
    .meta({ type: 'string' })
    .describe('A file with the JSON Schema of the request body, relative to this file.')
    .exactOptional(),
  cache: cache.describe('How long replies are kept: a duration, http, off, or a map for detail.').exactOptional(),
  auth: z
    .union([z.string(), z.array(z.string())], { error: 'expected a name, a list of names, or none' })
    .transform((names) => [names].flat())
    .describe('Who may ask: a name or a list of names; none: everybody.')
    .exactOptional(),
  rate: rate.describe('How many requests are let through.').exactOptional(),
  priority: z
    .enum(['critical', 'high', 'normal', 'low'])
    .describe('What is shed last under overload, and what first.')
    .exactOptional(),
  cors: z.any().describe('Which origins’ pages may read the response.').exactOptional(),
})

/** One route: what it matches, and either the steps that it takes or where it forwards to. */
export const route = routeKeys
  .refine((one) => one.steps !== undefined || one.forward !== undefined, rule('a route needs "steps" or "forward"'))
  .refine(
    (one) => one.steps === undefined || one.forward === undefined,
    rule('"forward" beside "steps": a route has one of them', 'forward'),
  )
  .refine(
    (one) => one.response === undefined || one.transform === undefined,
    rule('"transform" beside "response": one of them makes the body', 'transform'),
  )
  .refine((one) => !forwards(one) || one.response === undefined, only('response', 'steps'))
  .refine((one) => !forwards(one) || one.status === undefined, only('status', 'steps'))
  .refine((one) => !forwards(one) || one.transform === undefined, only('transform', 'steps'))
  .refine((one) => !forwards(one) || one.schema === undefined, only('schema', 'steps'))
  .transform(told)

type Written = z.output<typeof routeKeys>
type Shared = Omit<
  Written,
  'name' | 'limits' | 'steps' | 'response' | 'status' | 'transform' | 'forward' | 'schema'
> & {
  name: string
  /** `body` in bytes; Infinity where nothing bounds it. */
  limits: { body: number }
}

/** A route that makes calls and one answer of their replies. */
export type StepsRoute = Shared &
  Pick<Written, 'response' | 'status' | 'transform' | 'schema'> & {
    steps: Record<string, Step>
    forward?: never
  }

/** A route that streams to one upstream and back. */
export type ForwardRoute = Shared & { forward: { upstream: string; path?: string }; steps?: never }

/** A step with every value it lives by, but for those it leaves to its upstream. */
export type Step = z.output<typeof step>

/** A route of either kind, told apart by `forward`. */
export type Route = StepsRoute | ForwardRoute

function forwards(one: Written): boolean {
  return one.forward !== undefined && one.steps === undefined
}

function told(written: Written): Route {
  const { steps, forward: target, name: given, limits, ...rest } = written
  const shared = { ...rest, name: given ?? `${written.match.method} ${written.match.path}` }
  if (target !== undefined) return { ...shared, forward: target, limits: { body: limits.body ?? Infinity } }
  return { ...shared, steps: steps ?? {}, limits: { body: limits.body ?? 1024 ** 2 } }
}
