import { z } from 'zod'

import { text } from './units.ts'

/** A JSON value of the config; a mapping is a Map, whose keys keep the order written also where they look like numbers. */
export type Json = null | boolean | number | string | Json[] | Map<string, Json>

/** Any JSON, whose strings the plan reads as templates. */
export const template = z.any() as z.ZodType<Json>

const NAME = /^[A-Za-z][A-Za-z0-9_-]*$/

/** The roots of references that are not steps: a step of that name could not be read. */
const ROOTS = ['params', 'query', 'headers', 'cookies', 'body', 'auth', 'item', 'index']

/** The name of an upstream. */
export const name = z
  .string({ error: 'expected a name' })
  .regex(NAME, { error: 'expected a name: a letter, then letters, digits, _ or -' })

/** The name of a step. */
export const stepName = name.refine((step) => !ROOTS.includes(step), {
  error: `a step cannot be called any of ${ROOTS.join(', ')}: references to them mean something else`,
})

/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/** What frames a message or belongs to one connection: the gateway writes these itself. */
const OURS = [
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]

const header = z
  .string({ error: 'expected the name of a header' })
  .regex(TOKEN, { error: 'expected the name of a header: letters, digits and -' })

/** The name of a header, read to lower case. */
export const headerName = header.toLowerCase()

const settable = header.refine((name) => !OURS.includes(name.toLowerCase()), {
  error: 'a header that the gateway writes itself cannot be set',
})

const headerValue = text
  .refine((value) => !/[\r\n\0]/.test(value), { error: 'a header cannot hold a line break or NUL' })
  .refine((value) => !/[^\t\x20-\x7e\x80-\xff\r\n\0]/.test(value), {
    error: 'a header cannot hold control characters, nor letters beyond Latin-1: encode them',
  })

/** Headers to send, by name in lower case. */
export const headers = z.record(settable, headerValue).transform((written, context) => {
  const lower: Record<string, string> = {}
  for (const [name, value] of Object.entries(written)) {
    const key = name.toLowerCase()
    const message = `"${key}" is here already, in other letters`
    if (Object.hasOwn(lower, key)) context.issues.push({ code: 'custom', input: written, path: [name], message })
    lower[key] = value
  }
  return lower
})

/** The header field that tells how much time is left, in lower case; null: none. */
export const deadline = z.union([z.enum(['off']).transform(() => null), settable.toLowerCase()], {
  error: 'expected the name of a header such as grpc-timeout, or off',
})
