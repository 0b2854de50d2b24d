import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'

/** What came of sending something to a collector. */
export type Sent =
  | { readonly ok: true; readonly body: Uint8Array }
  | {
      readonly ok: false
      readonly why: string
      /** Whether to send it again may help, and how long the collector asks to wait before. */
      readonly again: boolean
      readonly afterMs: number
    }

export type Send = (path: string, body: Uint8Array, withinMs: number) => Promise<Sent>

// What an answer may have: as much as says what is wrong.
const maxReplyBytes = 64 * 1024

// OTLP/HTTP: these alone are to be tried again.
const passing = new Set([429, 502, 503, 504])

/** Makes what sends protobuf to a collector, over a connection that is kept. Settles in time, whatever the peer does. */
export function sender(url: string, headers: Readonly<Record<string, string>>, userAgent: string): Send {
  const isTls = url.startsWith('https:')
  const agent = isTls ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true })
  const request = isTls ? httpsRequest : httpRequest
  return (path, body, withinMs) =>
    new Promise((resolve) => {
      const fail = (error: Error): void => resolve({ ok: false, why: error.message, again: true, afterMs: 0 })
      const sending = request(
        `${url}${path}`,
        {
          method: 'POST',
          agent,
          signal: AbortSignal.timeout(withinMs),
          headers: {
            'user-agent': userAgent,
            ...headers,
            'content-type': 'application/x-protobuf',
            'content-length': body.length,
          },
        },
        (reply) => void read(reply).then((answer) => resolve(sentOf(reply, answer)), fail),
      )
      sending.on('error', fail)
      sending.end(body)
    })
}

async function read(reply: IncomingMessage): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of reply as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > maxReplyBytes) throw new Error(`the answer has more than ${maxReplyBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function sentOf({ statusCode = 0, headers }: IncomingMessage, body: Uint8Array): Sent {
  if (statusCode >= 200 && statusCode < 300) return { ok: true, body }
  const seconds = Number(headers['retry-after'] ?? 0)
  const afterMs = Number.isFinite(seconds) ? seconds * 1_000 : 0
  return { ok: false, why: `status ${statusCode}`, again: passing.has(statusCode), afterMs }
}
