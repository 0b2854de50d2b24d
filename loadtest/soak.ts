/** `npm run soak`: the gateway among faulty origins and clients that leave; nothing may be lost, nothing left (issue 3). */
import { setTimeout as pause } from 'node:timers/promises'
import { UsageError } from './bench/args.ts'
import { sum } from './resilience/gateway.ts'
import { type Args, help, readArgs } from './soak/args.ts'
import { startClients } from './soak/client.ts'
import { type Soaked, fixedMax, startSoaked } from './soak/gateway.ts'
import { type Sample, growthOf } from './soak/memory.ts'
import { type Origins, startOrigins } from './soak/origins.ts'
import { Tally } from './soak/tally.ts'
import { type Outcome, violations } from './soak/verdict.ts'
import { seeded } from './upstreams/latency.ts'

const tellMs = 10_000
// The longest budget, and the longest that an origin dawdles; a stream lasts no longer either.
const quietMs = 10_000

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130)) // children die with us

try {
  const args = readArgs(process.argv.slice(2))
  if (args.help) console.log(help)
  else process.exitCode = (await soak(args)) ? 0 : 1
} catch (error) {
  console.error(`soak: ${(error as Error).message}`)
  process.exitCode = error instanceof UsageError ? 2 : 1
}

/** Soaks the gateway and prints what came of it; true when nothing is amiss. */
async function soak({ minutes, seed }: Args): Promise<boolean> {
  console.log(`soak: ${minutes} min, --seed ${seed}`)
  await using origins = await startOrigins(seed)
  await using gateway = await startSoaked(origins.urls)
  const tally = new Tally()
  const clients = startClients(gateway.url, tally, seeded(seed + 1))
  const samples = await watch(gateway, tally, minutes * 60_000)
  await clients.stop(quietMs)

  await quiet(gateway, origins)
  const [status, { drawn, busy }, held] = await Promise.all([gateway.status(), origins.tell('calm'), gateway.look()])
  const permits = { asked: fixedMax, had: await countPermits(gateway.url) }
  const exitStatus = await gateway.end()
  const long = minutes >= 1
  const outcome = { tally, status, busy, held, permits, exitStatus, samples: long ? samples : null }
  report(outcome, samples, drawn)
  const wrong = violations(outcome)
  for (const line of wrong) console.log(`FAIL  ${line}`)
  if (wrong.length === 0) console.log('PASS  nothing was lost, nothing is left')
  return wrong.length === 0
}

/** Follows the gateway's memory for as long as the run lasts, and tells every 10 s how it goes. */
async function watch(gateway: Soaked, tally: Tally, lengthMs: number): Promise<Sample[]> {
  const samples: Sample[] = []
  const began = performance.now()
  const everyMs = Math.max(500, lengthMs / 100)
  let toldMs = 0
  for (let atMs = 0; atMs < lengthMs; atMs = performance.now() - began) {
    await pause(Math.min(everyMs, lengthMs - atMs))
    const { rssBytes, heapBytes, alarms, scopes } = await gateway.look()
    samples.push({ at: (performance.now() - began) / lengthMs, rssBytes, heapBytes })
    if (atMs < toldMs + tellMs) continue
    toldMs += tellMs
    const { sent, answered, broken, left } = tally
    const holds = `${scopes} scopes, ${alarms} alarms, heap ${mib(heapBytes)}, resident ${mib(rssBytes)} MiB`
    console.error(
      `${toldMs / 1_000} s: sent ${sent}, answered ${answered}, broken off ${broken}, left ${left}; ${holds}`,
    )
  }
  return samples
}

/** Waits until nothing is under way, though not for ever: what then still is, the verdict tells. */
async function quiet(gateway: Soaked, origins: Origins): Promise<void> {
  const until = performance.now() + quietMs
  while (performance.now() < until) {
    const [status, { busy }] = await Promise.all([gateway.status(), origins.tell('look')])
    const active = sum(status, 'http.server.active_requests') + sum(status, 'oneloop.calls.active')
    if (active + busy === 0) return
    await pause(100)
  }
}

/** Asks for as many at once as there are permits, none of which may wait: a permit that was lost shows as a refusal. */
async function countPermits(url: string): Promise<number> {
  const asked = Array.from({ length: fixedMax }, (_, i) => fetch(`${url}/fixed/p${i}`))
  const answers = await Promise.all(asked)
  await Promise.all(answers.map((answer) => answer.arrayBuffer()))
  return answers.filter(({ status }) => status === 200).length
}

function report({ tally, status }: Outcome, samples: readonly Sample[], drawn: Readonly<Record<string, number>>): void {
  const { sent, answered, broken, left, statuses } = tally
  const faults = Object.values(drawn)
  const calls = sum(status, 'oneloop.calls')
  const [retries, hedges] = [sum(status, 'oneloop.retries'), sum(status, 'oneloop.hedges')]
  const cancelled = sum(status, 'oneloop.requests', { result: 'cancelled' })
  const [heap, rss] = [growthOf(samples, 'heapBytes'), growthOf(samples, 'rssBytes')]
  const was = ({ before, after }: typeof heap) => `${mib(before)} → ${mib(after)} MiB`
  console.log(
    [
      `sent ${sent} = answered ${answered} + broken off ${broken} + left ${left}`,
      `answers ${Object.entries(statuses)
        .map(([one, count]) => `${one}: ${count}`)
        .join(', ')}`,
      `the gateway counted ${sum(status, 'oneloop.requests')} requests, ${cancelled} of them cancelled`,
      `and ${calls} calls, ${retries} made again, ${hedges} hedged`,
      `${faults.reduce((all, count) => all + count, 0)} faults of ${faults.length} kinds`,
      `second fifth → last: heap ${was(heap)}, resident ${was(rss)}`,
    ].join('\n'),
  )
}

function mib(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1)
}
