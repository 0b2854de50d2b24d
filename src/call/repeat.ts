import { Readable } from 'node:stream'
import type { Call } from './call.ts'

// RFC 9110 §9.2.2: doing these twice is meant to have the effect of doing them once.
const idempotent: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])

/** Whether a call may be sent once more: idempotent, or not sent at all; and its body is still there to be sent. */
export function isRepeatable({ method, body }: Call, unsent: boolean): boolean {
  if (body instanceof Readable && (!unsent || body.destroyed || body.readableDidRead)) return false
  return unsent || idempotent.has(method)
}
