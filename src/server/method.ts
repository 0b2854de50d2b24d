import type { IncomingMessage } from 'node:http'

// Hono would take the body off what a HEAD is answered with, and its length too. So a HEAD goes through it as the
// GET that it is, and node:http, which knows better, leaves the body out.
const heads = new WeakSet<IncomingMessage>()

/** Has a HEAD request pass for the GET that it asks about. */
export function passHeadAsGet(incoming: IncomingMessage): void {
  if (incoming.method !== 'HEAD') return
  heads.add(incoming)
  incoming.method = 'GET'
}

/** The method that the client sent. */
export function methodOf(incoming: IncomingMessage): string {
  return incoming.method === 'GET' && heads.has(incoming) ? 'HEAD' : (incoming.method ?? 'GET')
}
