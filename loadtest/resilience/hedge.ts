import { startClients } from './clients.ts'
import { startGateway } from './gateway.ts'
import { startOrigin } from './origins.ts'
import { quantile } from './quantile.ts'
import { type Scenario, atMost } from './scenario.ts'

const perSecond = 300
const seconds = 20
const tail = { kind: 'tail', share: 0.01, ms: 500 } as const
// Issue 3.
const goalShare = 0.5
const goalPercent = 5

/** Two endpoints with a long tail are called with and without hedging, both at once, so that noise meets both. */
export const hedge: Scenario = async (say) => {
  await using plain = await startOrigin(tail)
  await using plainToo = await startOrigin(tail)
  await using hedged = await startOrigin(tail)
  await using hedgedToo = await startOrigin(tail)
  await using gateway = await startGateway(`
upstreams:
  plain: { endpoints: ["${plain.url}", "${plainToo.url}"] }
  hedged: { endpoints: ["${hedged.url}", "${hedgedToo.url}"], hedge: p95 }
routes:
  - { match: "GET /plain/:n", steps: { a: { call: "GET plain /{params.n}" } } }
  - { match: "GET /hedged/:n", steps: { a: { call: "GET hedged /{params.n}" } } }
`)
  await using clients = await startClients(say)
  const flows = ['plain', 'hedged'].map((name) => ({ url: `${gateway.url}/${name}/`, perSecond }))

  say('hedge: warming up') // nothing is hedged before the p95 is known
  await clients.send(flows, 2)
  for (const origin of [plain, plainToo, hedged, hedgedToo]) await origin.become(tail)
  say(`hedge: ${perSecond} requests a second with hedging, as many without`)
  const [without, withIt] = await clients.send(flows, seconds)
  const [before, after] = [quantile(without?.tookMs ?? [], 0.999), quantile(withIt?.tookMs ?? [], 0.999)]
  const arrived = (await hedged.counts()).requests + (await hedgedToo.counts()).requests
  const arrivedWithout = (await plain.counts()).requests + (await plainToo.counts()).requests
  return [
    atMost(`p99.9 ${Math.round(before)} → ${Math.round(after)} ms, that is times`, after / before, goalShare),
    atMost('more calls:', (arrived / arrivedWithout - 1) * 100, goalPercent, ' %'),
  ]
}
