import type { Call, Layer, Sink } from '../call/call.ts'
import type { Scope } from '../call/scope.ts'

/** Ends an attempt that takes longer than `ms`; of a call with a sink only the wait for the head is bounded. */
export function timeout(ms: number): Layer {
  return (next) => (call, scope) => {
    const attempt = scope.within(ms)
    return next(call.sink === undefined ? call : lifting(call, call.sink, attempt), attempt).then((outcome) => {
      attempt.close()
      return outcome
    })
  }
}

// A stream lasts as long as it lasts: from the head on whoever reads it watches for idleness instead.
function lifting(call: Call, sink: Sink, attempt: Scope): Call {
  const head: Sink['head'] = (status, headers, resume) => {
    attempt.lift()
    sink.head(status, headers, resume)
  }
  return { ...call, sink: { head, chunk: (bytes) => sink.chunk(bytes) } }
}
