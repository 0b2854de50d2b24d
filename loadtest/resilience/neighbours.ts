import { median } from '../bench/stats.ts'
import { type Flow, startClients } from './clients.ts'
import { startGateway } from './gateway.ts'
import { startOrigin } from './origins.ts'
import { quantile } from './quantile.ts'
import { type Scenario, atMost } from './scenario.ts'

const quick = ['a', 'b', 'c', 'd']
// Far below what a core bears, so that what is seen is the gateway's doing and not a queue's. Each slow call lasts a
// hundred times as long as the others: 200 of them would be there at once, more than there are connections.
const perSecond = 100
const rounds = 5
const seconds = 3
const usualMs = 20
const slowMs = 2_000
// behaviour.md, F6.
const goalPercent = 10

/** One of five upstreams turns slow, again and again, and the requests to the others are timed in both states. */
export const neighbours: Scenario = async (say) => {
  await using steady = await startOrigin({ kind: 'takes', ms: usualMs })
  await using fickle = await startOrigin({ kind: 'takes', ms: usualMs })
  const upstreams = [...quick.map((name) => [name, steady.url]), ['fickle', fickle.url]]
  // The slow one is waited for: were its calls given up, the breaker would soon spare the gateway of them.
  await using gateway = await startGateway(`
defaults: { timeout: 4s }
upstreams:
${upstreams.map(([name, url]) => `  ${name}: { endpoints: ["${url}"] }`).join('\n')}
routes:
${upstreams.map(([name]) => `  - { match: GET /${name}/:n, steps: { a: { call: "GET ${name} /{params.n}" } } }`).join('\n')}
`)
  await using clients = await startClients(say)
  const flows = upstreams.map(([name]): Flow => ({ url: `${gateway.url}/${name}/`, perSecond }))

  const p99 = async (ms: number): Promise<number> => {
    await fickle.become({ kind: 'takes', ms })
    const seen = await clients.send(flows, seconds)
    return quantile(
      seen.slice(0, quick.length).flatMap(({ tookMs }) => tookMs),
      0.99,
    )
  }
  say('neighbours: warming up')
  await p99(usualMs)
  const growths: number[] = []
  const all: { calm: number; slow: number }[] = []
  for (let round = 0; round < rounds; round++) {
    say(`neighbours: round ${round + 1} of ${rounds}`)
    const calm = await p99(usualMs)
    const slow = await p99(slowMs)
    growths.push((slow / calm - 1) * 100)
    all.push({ calm, slow })
  }
  const [calm, slow] = [median(all.map((one) => one.calm)), median(all.map((one) => one.slow))]
  const what = `p99 of the others ${calm.toFixed(1)} → ${slow.toFixed(1)} ms, grows by`
  return [atMost(what, Math.round(median(growths) * 10) / 10, goalPercent, ' %')]
}
