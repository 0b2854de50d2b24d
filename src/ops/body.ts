import type { IncomingMessage } from 'node:http'
import type { Context } from 'hono'
import { problem } from './problem.ts'

// Nobody has more than that to say.
const maxBytes = 64 * 1024

/** Reads the body of a request as text; gives the answer to one that says too much. */
export async function textOf(c: Context): Promise<string | Response> {
  const chunks: Uint8Array[] = []
  let size = 0
  // Node's own stream: Hono's limit makes a Request of another, which with a body of no known length cannot be.
  for await (const chunk of (c.env as { incoming: IncomingMessage }).incoming) {
    size += (chunk as Uint8Array).length
    if (size > maxBytes) {
      const headers = { connection: 'close' }
      return problem(413, `the body has more than ${maxBytes} bytes`, { headers })
    }
    chunks.push(chunk as Uint8Array)
  }
  return Buffer.concat(chunks).toString()
}
