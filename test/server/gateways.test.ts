import { request } from 'node:http'
import { afterAll, expect, test } from 'vitest'
import { type TestGateway, startGateway } from '../support/gateway.ts'
import { json, startOrigin } from '../support/origin.ts'
import { startRedis } from '../support/redis.ts'

const redis = await startRedis()
let made = 0
let release: (() => void) | null = null
/** Answers at once, until it is told to hold one back. */
let holds = false
const origin = await startOrigin(({ target }, socket) => {
  const answer = (): void => void socket.write(json({ target, made: ++made }, 200, { 'cache-control': 'max-age=3600' }))
  if (holds) release = answer
  else answer()
})
const start = (): Promise<TestGateway & AsyncDisposable> =>
  startGateway(`
cache: { redis: "${redis.url}" }
upstreams: { o: { endpoints: ["${origin.url}"], retry: 0, timeout: 5s } }
routes:
  - match: GET /step
    steps: { x: { call: GET o /step, cache: 1h } }
  - match: GET /who
    steps: { x: { call: { upstream: o, path: /who, headers: { x-user: "{headers.x-user?}" } }, cache: 1h } }
  - match: GET /forward
    forward: o
    cache: http
`)
const gateways = await Promise.all([start(), start()])
afterAll(async () => {
  await Promise.all(gateways.map((one) => one.close()))
  await origin[Symbol.asyncDispose]()
  await redis.stop()
})

const clients = 20
const waiting = (): number => gateways.reduce((sum, one) => sum + one.read('http.server.active_requests', {}), 0)

/** Asks a gateway by the name that clients know all of them by, which is part of a forwarded reply's key. */
function get(port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ port, path, host: '127.0.0.1', headers: { host: 'api.example' } }, (answer) => {
      let text = ''
      answer.on('data', (chunk) => (text += String(chunk)))
      answer.on('end', () => resolve(text))
    })
    asked.on('error', reject)
    asked.end()
  })
}

const ask = (path: string): Promise<string[]> =>
  Promise.all(gateways.flatMap(({ port }) => Array.from({ length: clients }, () => get(port, path))))

test.each(['/step', '/who', '/forward'])('R7: all who ask two gateways for %s at once are one call', async (path) => {
  const before = origin.requests.length
  holds = true
  const all = ask(path)
  await origin.until(({ requests }) => requests.length > before)
  while (waiting() < 2 * clients) await new Promise((done) => setImmediate(done))
  holds = false
  release?.()
  expect(new Set(await all).size).toBe(1)
  expect(origin.requests.length - before).toBe(1)
})
