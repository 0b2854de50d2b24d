import { isDeepStrictEqual } from 'node:util'
import { reply } from '../peers/reply.ts'
import type { Args, PeerName } from './args.ts'
import type { Load } from './load.ts'
import { startPeer, type Peer } from './peers.ts'
import { cpuSeconds, peakMiB } from './process.ts'
import { ratio } from './stats.ts'

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
}

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
