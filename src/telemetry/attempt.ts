import type { Call } from '../call/call.ts'
import { randomHex, renewed, spanOf } from '../call/trace.ts'
import type { AttemptTimes, Errand } from '../call/work.ts'

/** Has each attempt at a call be a span of its own: the first is what the call says already. */
export function withSpan(call: Call, { sent }: Errand): Call {
  const at = sent === 0 ? -1 : call.headers.lastIndexOf('traceparent')
  if (at === -1) return call
  const headers = call.headers.slice()
  headers[at + 1] = renewed(headers[at + 1] as string)
  return { ...call, headers }
}

/** Begins the record of an attempt; whoever makes it fills in when what has happened. */
export function attemptOf(call: Call, { step, upstream, sent }: Errand, endpoint: string, began: number): AttemptTimes {
  const { method, path, headers, again, hedge = false } = call
  const at = headers.lastIndexOf('traceparent')
  // To an upstream that is told of no trace an attempt is a span all the same.
  const spanId = at === -1 ? randomHex(8) : spanOf(headers[at + 1] as string)
  return {
    step,
    upstream,
    endpoint,
    method,
    path,
    spanId,
    resend: again === true && !hedge ? sent : 0,
    hedge,
    began,
    queued: NaN,
    connected: NaN,
    sent: NaN,
    head: NaN,
    ended: NaN,
    status: 0,
    error: null,
    loopWaitMs: 0,
  }
}
