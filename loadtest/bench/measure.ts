import { isDeepStrictEqual } from 'node:util'
import { startDriver } from '../drive/driver.ts'
import { merge, quantile } from '../drive/histogram.ts'
import { failedOf } from '../drive/play.ts'
import { reply } from '../peers/reply.ts'
import type { Args, PeerName } from './args.ts'
import type { Load } from './load.ts'
import { startPeer, type Peer } from './peers.ts'
import { cpuSeconds, peakMiB } from './process.ts'
import { median, ratio } from './stats.ts'

/** One timed run of one peer. */
export interface Sample {
  readonly perSecond: number
  readonly p99Ms: number
  /** CPU time of the measured process per request; undefined where there is no /proc. */
  readonly cpuMicros: number | undefined
  /** The share of one core that the measured process used: well below 1, something else was the limit. */
  readonly busy: number | undefined
}

/** All that was measured of one peer at one fan-out; a run that does not count has left a hole. */
export interface Series {
  readonly name: PeerName
  readonly fanout: number
  readonly samples: (Sample | undefined)[]
  readonly faults: string[]
  peakMiB: number | undefined
  /** What it does at a load that all bear; undefined where that was not asked for. */
  even?: Even
}

/** How long requests took that came at an even rate, open loop. */
export interface Even {
  readonly perSecond: number
  readonly p99Ms: number
}

/** The share of the slowest one's capacity at which latencies are compared. */
const EVEN = 0.7

/** Measures the peers at one fan-out: warms all up, then gives each its turn in every round. */
export async function measure(
  args: Args,
  fanout: number,
  origin: string,
  load: Load,
  say: (text: string) => void,
): Promise<Series[]> {
  const peers: Peer[] = []
  try {
    for (const name of args.only) peers.push(await startPeer(name, origin, fanout))
    for (const peer of peers) await checkAnswer(peer, fanout)
    if (args.check) return []
    for (const peer of peers) {
      say(`fan-out ${fanout}: warming up ${peer.name}`)
      if (args.warmup > 0) await load.run(peer.url, args.connections, args.warmup)
    }
    const series = peers.map(({ name }): Series => ({ name, fanout, samples: [], faults: [], peakMiB: undefined }))
    for (let round = 0; round < args.rounds; round++) {
      for (const [index, peer] of turns([...peers.entries()], round)) {
        say(`fan-out ${fanout}: round ${round + 1} of ${args.rounds}, ${peer.name}`)
        await takeTurn(series[index]!, peer, args, load)
      }
    }
    if (args.peers) await compareEvenly(peers, series, args, say)
    peers.forEach((peer, index) => (series[index]!.peakMiB = peakMiB(peer.pid)))
    return series
  } finally {
    await Promise.all(peers.map((peer) => peer.stop()))
  }
}

/** The median ratio of a peer's requests per second to another's at the same fan-out. */
export function against(series: Series, other: Series | undefined): number {
  const rates = (of: Series | undefined) => (of?.samples ?? []).map((sample) => sample?.perSecond)
  return ratio(rates(series), rates(other))
}

/** Each round begins with another peer, so that no one always follows the same other. */
function turns<T>(items: readonly T[], round: number): T[] {
  const first = round % items.length
  return [...items.slice(first), ...items.slice(0, first)]
}

async function takeTurn(series: Series, peer: Peer, args: Args, load: Load): Promise<void> {
  const before = cpuSeconds(peer.pid)
  const run = await load.run(peer.url, args.connections, args.seconds)
  const after = cpuSeconds(peer.pid)
  if (run.fault !== undefined) {
    series.samples.push(undefined)
    series.faults.push(run.fault)
    return
  }
  const cpu = before === undefined || after === undefined ? undefined : after - before
  series.samples.push({
    perSecond: run.requests / run.seconds,
    p99Ms: run.p99Ms,
    cpuMicros: cpu && (cpu / run.requests) * 1e6,
    busy: cpu && cpu / run.seconds,
  })
}

/** Sends to each as many requests a second as the slowest of them bears well. */
async function compareEvenly(
  peers: readonly Peer[],
  series: readonly Series[],
  args: Args,
  say: (text: string) => void,
): Promise<void> {
  await using driver = await startDriver()
  const rate = Math.floor(EVEN * Math.min(...series.map(capacity)))
  if (!(rate > 0)) return // a peer of which no run counts: its faults say why
  for (const [index, peer] of peers.entries()) {
    say(`fan-out ${series[index]!.fanout}: ${rate} requests a second, ${peer.name}`)
    const { origin: url, pathname: path } = new URL(peer.url)
    const phases = [{ seconds: args.seconds, from: rate, to: rate }]
    const mix = [{ method: 'GET', path, weight: 1 }] as const
    const seconds = await driver.ask({ url, mix, phases, timeoutMs: 10_000, connections: 256, seed: 1 })
    const failed = seconds.reduce((sum, second) => sum + failedOf(second) + second.dropped, 0)
    if (failed > 0) series[index]!.faults.push(`${failed} requests failed at ${rate} a second`)
    else series[index]!.even = { perSecond: rate, p99Ms: quantile(merge(seconds.map((one) => one.latencies)), 0.99) }
  }
}

function capacity({ samples }: Series): number {
  return median(samples.flatMap((sample) => sample?.perSecond ?? []))
}

/** Peers that answer differently do not do the same work, and comparing them would say nothing. */
async function checkAnswer(peer: Peer, fanout: number): Promise<void> {
  const response = await fetch(peer.url)
  const body = await response.text()
  const expected = Array.from({ length: fanout }, (_, index) => [`a${index + 1}`, JSON.parse(reply) as unknown])
  const right =
    response.status === 200 &&
    response.headers.get('content-type')?.startsWith('application/json') &&
    isDeepStrictEqual(JSON.parse(body), Object.fromEntries(expected))
  if (!right) throw new Error(`${peer.name} gives another answer (${response.status}): ${body.slice(0, 200)}`)
}
