import { startClients } from './clients.ts'
import { startGateway, sum } from './gateway.ts'
import { startOrigin } from './origins.ts'
import { type Finding, atMost } from './scenario.ts'

// So many requests lose their connection: at once, after the reply, or a little later. Few enough that a second attempt,
// of which there is but one, hardly ever meets a connection that is just being closed as well.
const share = 0.003
const clientCount = 32

/** An origin closes connections at random moments, under idempotent requests. */
export async function keepalive(say: (text: string) => void, requests = 100_000): Promise<readonly Finding[]> {
  await using origin = await startOrigin({ kind: 'closes', share })
  await using gateway = await startGateway(`
upstreams: { origin: { endpoints: ["${origin.url}"] } }
routes: [{ match: "GET /:n", steps: { a: { call: "GET origin /{params.n}" } } }]
`)
  await using clients = await startClients(say)
  say(`keepalive: ${requests} requests by ${clientCount} clients`)
  const [seen] = await clients.send([{ url: `${gateway.url}/`, clients: clientCount, requests }])
  const { sent = 0, kinds = {} } = seen ?? {}
  const { closed } = await origin.counts()
  const retried = sum(await gateway.status(), 'oneloop.retries')
  const { 200: answered = 0, ...wrong } = kinds
  const others = Object.entries(wrong).map(([kind, count]) => `${count} × ${kind}`)
  const what = `${sent} requests, ${closed} connections closed, ${retried} calls made again, errors:`
  return [atMost([what, ...others].join(' '), sent - answered, 0)]
}
