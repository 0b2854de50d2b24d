import { randomBytes } from 'node:crypto'
import { isFieldValue } from './headers.ts'

/** Where a request stands in a trace, as W3C Trace Context has it: ids in lower-case hex. */
export interface Trace {
  readonly traceId: string
  /** The span that the request is here. */
  readonly spanId: string
  /** The span of whoever sent it; null when the trace begins here. */
  readonly parentSpanId: string | null
  readonly flags: string
  /** `tracestate` and `baggage` as they came, to be passed on. */
  readonly state: string | null
  readonly baggage: string | null
}

// Random digits are drawn and written out many at once: for an id alone that would cost 1 µs.
const drawnBytes = 4096
let digits = ''
let used = 0

/** Makes a random id of so many bytes, in hex. */
export function randomHex(bytes: number): string {
  if (used + bytes * 2 > digits.length) {
    digits = randomBytes(drawnBytes).toString('hex')
    used = 0
  }
  used += bytes * 2
  return digits.slice(used - bytes * 2, used)
}

// Of a version that is not known yet only what the first has is read (Trace Context §3.2.4).
const form = /^(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
const zeros = /^0+$/
// What others may hang on a trace is passed on, but not at any length: W3C asks for no more.
const maxStateLength = 512
const maxBaggageLength = 8_192

/** The header fields of a request, by name in lower case. */
type Fields = Readonly<Record<string, string | string[] | undefined>>

/**
 * Continues the trace that a `traceparent` names, sampled or not as that says; begins one when it is absent or not
 * valid, sampled as `sample` says.
 */
export function traceOf(fields: Fields, sample: () => boolean): Trace {
  const given = fields['traceparent']
  const match = typeof given === 'string' ? form.exec(given) : null
  const baggage = passed(fields['baggage'], maxBaggageLength)
  const spanId = randomHex(8)
  if (match === null || !isValid(match)) {
    const flags = sample() ? '01' : '00'
    return { traceId: randomHex(16), spanId, parentSpanId: null, flags, state: null, baggage }
  }
  const [, , traceId, parentSpanId, flags] = match as unknown as [string, string, string, string, string]
  const state = passed(fields['tracestate'], maxStateLength)
  // Of the flags only two are known, sampled and random: others must not be passed on.
  return { traceId, spanId, parentSpanId, flags: `0${Number.parseInt(flags, 16) & 3}`, state, baggage }
}

function isValid([, version, traceId = '', spanId = '', , rest]: RegExpExecArray): boolean {
  return !zeros.test(traceId) && !zeros.test(spanId) && (rest === undefined || version !== '00')
}

function passed(field: string | string[] | undefined, maxLength: number): string | null {
  if (field === undefined) return null
  const text = typeof field === 'string' ? field : field.join(',')
  return text.length <= maxLength && isFieldValue(text) ? text : null
}

/** Whether whoever began the trace, or we, wanted it to be kept. */
export function isSampled({ flags }: Trace): boolean {
  return (Number(flags) & 1) === 1
}

/** Makes the `traceparent` of a new span within a trace. */
export function traceparent({ traceId, flags }: Pick<Trace, 'traceId' | 'flags'>): string {
  return `00-${traceId}-${randomHex(8)}-${flags}`
}

/** Makes a `traceparent` that names another span of the same trace. */
export function renewed(before: string): string {
  return `${before.slice(0, 36)}${randomHex(8)}${before.slice(52)}`
}

/** The span that a `traceparent` of ours names. */
export function spanOf(field: string): string {
  return field.slice(36, 52)
}
