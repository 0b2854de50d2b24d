/** An origin in a process of its own: it tells its parent where it listens, is told how to serve, and counts. */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { logNormal, seeded } from '../upstreams/latency.ts'
import type { Counts, Manner } from './origins.ts'

const random = seeded(1)
const counts = { requests: 0, inFlight: 0, closed: 0 }
const waiting: (() => void)[] = []
const sent = new Set<string>()
let working = 0
let manner: Manner = { kind: 'takes', ms: 0 }

const server = createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
  counts.requests++
  counts.inFlight++
  response.once('close', () => counts.inFlight--)
  serve(request.url ?? '', response)
})
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))

process.on('disconnect', () => process.exit(0))
process.on('message', (told: Manner | 'counts') => {
  if (told !== 'counts') become(told)
  process.send?.({ ...counts } satisfies Counts)
})

function become(told: Manner): void {
  manner = told
  Object.assign(counts, { requests: 0, closed: 0 })
  work()
}

function serve(url: string, response: ServerResponse): void {
  switch (manner.kind) {
    case 'takes':
      return void setTimeout(answer, manner.ms, response)
    case 'tail':
      return void setTimeout(answer, random() < manner.share ? manner.ms : usual(), response)
    case 'refuses':
      return void response.writeHead(503, { 'content-length': 0 }).end()
    case 'servers':
      waiting.push(() => answer(response))
      return work()
    case 'closes':
      return close(url, response, manner.share)
  }
}

// What calls of a healthy service take: half of them 20 ms, one of a hundred 40 ms.
const usual = logNormal({ medianMs: 20, p99Ms: 40 }, random)

/** So many requests are worked on at once, in the order of coming; all others wait. */
function work(): void {
  while (manner.kind === 'servers' && working < manner.servers && waiting.length > 0) {
    const done = waiting.shift()!
    working++
    setTimeout(
      () => {
        working--
        done()
        work()
      },
      -Math.log(1 - random()) * manner.meanMs,
    )
  }
}

/** Closes the connection of some requests: at once when the request is there, after the reply, or in idleness. */
function close(url: string, response: ServerResponse, share: number): void {
  const draw = random() / share
  // A request that is sent again is served: that a peer closes on the same request twice would be a fault, not bad luck.
  const again = sent.has(url)
  sent.add(url)
  if (draw < 1) counts.closed++
  if (draw < 1 / 3 && !again) return void response.socket?.destroy()
  const { socket } = response
  if (draw < 2 / 3) response.once('finish', () => socket?.end())
  else if (draw < 1) setTimeout(() => socket?.end(), random() * idleMs)
  answer(response)
}

// Long enough for the connection to be in use again, or free.
const idleMs = 20

const body = Buffer.from('{"ok":true}')

function answer(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length }).end(body)
}
