import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { answer, fail, type Answer } from './answer.ts'
import { controlOf } from './control.ts'
import { mishap, type Faults, type Mishap } from './faults.ts'
import { logNormal, seeded } from './latency.ts'
import type { Source } from './source.ts'

/** A demo service that is listening. */
export interface Service {
  readonly name: string
  readonly url: string
  close(): Promise<void>
}

/** How to run a service; every random choice it makes follows from the seed. */
export interface Running {
  readonly port: number
  /** The address to listen on; default 127.0.0.1. */
  readonly host?: string
  readonly seed: number
  readonly faults?: Faults
}

/**
 * Serves a source, with its latency, its cache fields and whatever faults it is told at `/__faults`.
 *
 * Rejects with Node's own error when the port is taken; port 0 is any free one.
 */
export async function serve(
  source: Source,
  { port, host = '127.0.0.1', seed, faults = {} }: Running,
): Promise<Service> {
  const random = seeded(seed)
  const latency = logNormal(source.latency, random)
  const server = createServer((request, response) => {
    const reply = (body: unknown) => {
      if (request.url === '/__faults') return send(response, control.answer(request.method, body))
      const waitMs = latency() + (control.faults.latencyMs ?? 0)
      const how = mishap(control.faults, random)
      setTimeout(() => act(response, answer(source, request, body), how), waitMs).unref()
    }
    void readJson(request).then(reply, () => send(response, fail(400, 'the body is not JSON')))
  })
  let back: NodeJS.Timeout | undefined
  const control = controlOf((ms) => {
    void close(server)
    back = setTimeout(() => void listen(server, host, bound), ms)
  })

  await listen(server, host, port)
  const { port: bound } = server.address() as AddressInfo
  control.add(faults)
  const stop = () => {
    clearTimeout(back)
    return close(server)
  }
  return { name: source.name, url: `http://127.0.0.1:${bound}`, close: stop }
}

/** Answers, or lets the request go wrong in the way that was drawn for it. */
function act(response: ServerResponse, given: Answer, how: Mishap | undefined): void {
  if (response.destroyed || how === 'hang') return
  if (how === 'reset') return void response.socket?.resetAndDestroy()
  if (how === 'truncate') return truncate(response, given)
  send(response, how === undefined ? given : fail(how.status, 'a fault set at /__faults'))
}

function truncate(response: ServerResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, { ...headers, 'content-length': body.length })
  response.write(body.subarray(0, body.length >> 1), () => response.destroy())
}

function send(response: ServerResponse, { status, headers, body }: Answer): void {
  if (response.destroyed) return
  const length = status === 304 ? {} : { 'content-length': body.length }
  response.writeHead(status, { ...headers, ...length }).end(body)
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return chunks.length === 0 ? undefined : JSON.parse(Buffer.concat(chunks).toString())
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
