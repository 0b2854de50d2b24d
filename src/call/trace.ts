import { randomBytes } from 'node:crypto'

/** Where a request stands in a trace, as W3C Trace Context has it: ids in lower-case hex. */
export interface Trace {
  readonly traceId: string
  readonly flags: string
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

const form = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/

/** Continues the trace that a `traceparent` names, or begins one when it is absent or not valid. */
export function traceOf(traceparent: string | undefined): Trace {
  const match = traceparent === undefined ? null : form.exec(traceparent)
  if (match === null || /^0+$/.test(match[1] as string) || /^0+$/.test(match[2] as string)) {
    return { traceId: randomHex(16), flags: '00' }
  }
  return { traceId: match[1] as string, flags: match[3] as string }
}

/** Makes the `traceparent` of a new span within a trace. */
export function traceparent(trace: Trace): string {
  return `00-${trace.traceId}-${randomHex(8)}-${trace.flags}`
}
