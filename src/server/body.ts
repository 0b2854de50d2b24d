import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Wheel } from '../call/wheel.ts'
import type { Refusal } from './problem.ts'

// A request that takes longer to arrive is not worth its place (behaviour.md).
const wholeMs = 30_000

/** Whether a request says that it has a body. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/** Lets a client send its body that waits for our word. HTTP/1.0 has no such word. */
export function sayContinue({ headers, httpVersion }: IncomingMessage, outgoing: ServerResponse): void {
  if (headers.expect !== undefined && httpVersion === '1.1') outgoing.writeContinue()
}

/**
 * Gathers a request's body, up to `maxBytes`; null when the client left before it was whole. A body that says of
 * itself that it is too large is refused before a byte of it is read.
 */
export function readBody(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  maxBytes: number,
  wheel: Wheel,
): Promise<Uint8Array | Refusal | null> {
  if (Number(incoming.headers['content-length'] ?? 0) > maxBytes) return Promise.resolve(tooLarge(maxBytes))
  sayContinue(incoming, outgoing)
  return new Promise((resolve) => {
    const chunks: Uint8Array[] = []
    let size = 0
    const alarm = wheel.set(wheel.now() + wholeMs, () => finish(late))
    const onData = (chunk: Uint8Array): void => {
      size += chunk.length
      if (size > maxBytes) finish(tooLarge(maxBytes))
      else chunks.push(chunk)
    }
    const onEnd = (): void => finish(chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks, size))
    const onClose = (): void => finish(null)
    const finish = (result: Uint8Array | Refusal | null): void => {
      wheel.clear(alarm)
      incoming.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose)
      // Reading on would let a client that is refused send for ever; the connection is closed after the answer.
      if (result !== null && 'status' in result) incoming.pause()
      resolve(result)
    }
    incoming.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose)
  })
}

const late: Refusal = { status: 408, detail: 'the request took too long to arrive', closes: true }

/** Refuses a body that is larger than a route takes. */
export function tooLarge(maxBytes: number): Refusal {
  return { status: 413, detail: `the body is larger than ${maxBytes} bytes`, closes: true }
}
