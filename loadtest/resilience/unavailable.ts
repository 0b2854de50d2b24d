import { startClients } from './clients.ts'
import { startGateway } from './gateway.ts'
import { startOrigin } from './origins.ts'
import { type Finding, atMost } from './scenario.ts'

/** How hard, and for how long, an origin in trouble is asked. */
export interface Pressure {
  readonly perSecond: number
  readonly seconds: number
}

// behaviour.md, F5.
const goal = 1.2
// 20 calls open the breaker; what comes in until the first of them are answered, and three probes, are let through too.
const nearlyNone = 0.02

/**
 * An origin answers 503 to all, first without a breaker and with a patient limit, so that the budget of retries is all
 * that is between it and a storm, then with the defaults.
 */
export async function unavailable(
  say: (text: string) => void,
  { perSecond, seconds }: Pressure = { perSecond: 1_000, seconds: 10 },
): Promise<readonly Finding[]> {
  await using origin = await startOrigin({ kind: 'refuses' })
  await using gateway = await startGateway(`
upstreams:
  bare: { endpoints: ["${origin.url}"], breaker: off, limit: { max: 128, queue: 4096, wait: 2s } }
  guarded: { endpoints: ["${origin.url}"] }
routes:
  - { match: "GET /bare/:n", steps: { a: { call: "GET bare /{params.n}" } } }
  - { match: "GET /guarded/:n", steps: { a: { call: "GET guarded /{params.n}" } } }
`)
  await using clients = await startClients(say)

  /** Calls that the gateway did not refuse by itself, all calls, and what the origin saw. */
  const ask = async (route: string) => {
    say(`unavailable: ${perSecond} requests a second, ${route}`)
    await origin.become({ kind: 'refuses' })
    const [seen] = await clients.send([{ url: `${gateway.url}/${route}/`, perSecond }], seconds)
    const { sent = 0, kinds = {} } = seen ?? {}
    const refused = (kinds['connection_limit_reached'] ?? 0) + (kinds['destination_unavailable'] ?? 0)
    return { sent, passed: sent - refused, arrived: (await origin.counts()).requests }
  }
  const bare = await ask('bare')
  const guarded = await ask('guarded')
  return [
    atMost(`at ${perSecond}/s without a breaker the origin saw, times the calls:`, bare.arrived / bare.passed, goal),
    atMost('with it, of all calls:', (guarded.arrived / guarded.sent) * 100, nearlyNone * 100, ' %'),
  ]
}
