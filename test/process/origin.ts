import { once } from 'node:events'
import { type RequestListener, type Server, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** An upstream that answers as it is told. */
export interface Origin extends AsyncDisposable {
  readonly url: string
  readonly server: Server
}

/** Starts an upstream on a port of its own; it answers every request with the JSON `{"ok":true}` unless told how. */
export async function startOrigin(answer: RequestListener = (_, response) => void json(response, { ok: true })): Promise<Origin> {
  const server = createServer({ keepAliveTimeout: 60_000 }, answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const close = async (): Promise<void> => {
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  }
  return { url: `http://127.0.0.1:${port}`, server, [Symbol.asyncDispose]: close }
}

/** Answers with JSON. */
export function json(response: Parameters<RequestListener>[1], value: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}
