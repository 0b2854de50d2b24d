import type { Layer } from '../call/call.ts'
import { timeoutField } from '../call/deadline.ts'

/** Tells the upstream in a header field how much time there is left for an attempt, so that it need not work in vain. */
export function deadline(field: string): Layer {
  return (next) => (call, scope) => {
    const leftMs = scope.leftMs()
    if (leftMs === Infinity) return next(call, scope)
    const headers = [field, timeoutField(leftMs)]
    // In place of one that came along: what was left then is not what is left now.
    for (let i = 0; i < call.headers.length; i += 2) {
      if (call.headers[i] !== field) headers.push(call.headers[i] as string, call.headers[i + 1] as string)
    }
    return next({ ...call, headers }, scope)
  }
}
