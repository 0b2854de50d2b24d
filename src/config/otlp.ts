import { z } from 'zod'

import { headers } from './names.ts'
import { positive, text } from './units.ts'

/** Where telemetry is pushed by OTLP, and how. */
export interface Otlp {
  /** Without a slash at the end: `/v1/traces` and `/v1/metrics` are added. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** How often numbers are pushed, in ms. */
  readonly every: number
  /** What tells this gateway from others, besides what it says of itself. */
  readonly resource: Readonly<Record<string, string>>
}

const URL_EXPECTED = 'expected a URL such as http://127.0.0.1:4318'

const url = z
  .string({ error: URL_EXPECTED })
  .refine((written) => written === '' || /^https?:\/\/[^?#]+$/.test(written), { error: URL_EXPECTED })
  .refine((written) => written === '' || URL.canParse(written), { error: URL_EXPECTED })

const detail = z.strictObject({
  url: url.describe('Of the collector; /v1/traces and /v1/metrics are added. Empty: none.'),
  headers: headers.describe('Sent with each push, such as authorization.').prefault({}),
  every: positive
    .describe('How often numbers are pushed. Traces are pushed as they come, once a second.')
    .prefault('15s'),
  resource: z
    .record(z.string(), text)
    .describe('Attributes of this gateway, such as service.name; default: oneloop.')
    .prefault({}),
})

/** An OTLP collector: its URL, or a map of more; none where the URL is empty. */
export const otlp = z
  .union([url.transform((written) => ({ url: written })).pipe(detail), detail], {
    error: `${URL_EXPECTED}, or a map with url, headers, every, resource`,
  })
  .transform((given): Otlp | null => (given.url === '' ? null : { ...given, url: given.url.replace(/\/+$/, '') }))
