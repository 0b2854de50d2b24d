import { seeded } from '../upstreams/latency.ts'
import type { Day, Moment } from './days.ts'
import { Hpa, type HpaOptions, syncS } from './hpa.ts'

/** By what pods are added. */
export type Signal = 'cpu' | 'loop'

/** What a day came to. */
export interface Played {
  readonly lost: number
  readonly requests: number
  /** The wait for the loop that one request in a hundred exceeds, in ms. */
  readonly waitMs: number
  readonly podHours: number
  readonly mostPods: number
}

/** What one pod is like. */
export interface Pod {
  /** Requests per second that fill the loop. */
  readonly capacity: number
  /** CPU time that other threads take for each second that the loop is active: collecting garbage, mostly. */
  readonly beside: number
  /** From the wish for a pod until it is ready. */
  readonly startS: number
}

interface Running {
  readonly readyAt: number
  /** Its part of the connections, around 1. */
  readonly weight: number
  /** Work that waits, in seconds of the loop. */
  backlog: number
  /** The signal, each second of the last minute. */
  readonly seen: number[]
}

// What waits for longer has been given up or refused.
const patienceS = 1
// Both signals are averages over a minute: Prometheus' and that of the metrics server.
const windowS = 60
// Requests come in bunches: they wait as if each had this many before it where chance alone would have one.
const bunch = 4

/** Plays a day second by second, with pods as the autoscaler has them. */
export function play(day: Day, signal: Signal, pod: Pod, options: HpaOptions, seed: number): Played {
  const random = seeded(seed)
  const hpa = new Hpa(options)
  const start = (readyAt: number): Running => ({ readyAt, weight: 0.9 + 0.2 * random(), backlog: 0, seen: [] })
  let pods = Array.from({ length: options.min }, () => start(0))
  const waits: { readonly ms: number; readonly requests: number }[] = []
  let [lost, requests, podSeconds, mostPods] = [0, 0, 0, 0]
  for (let second = 0; second < 86_400; second++) {
    const moment = day.at(second)
    const rate = moment.rate * (0.95 + 0.1 * random())
    const ready = pods.filter(({ readyAt }) => readyAt <= second)
    const weights = ready.reduce((sum, { weight }) => sum + weight, 0)
    for (const one of ready) {
      const its = (rate * one.weight) / weights
      const { dropped, waitS, value } = serve(one, its, moment, signal, pod)
      one.seen.push(value)
      if (one.seen.length > windowS) one.seen.shift()
      lost += dropped
      waits.push({ ms: waitS * 1_000, requests: its })
    }
    requests += rate
    podSeconds += pods.length
    mostPods = Math.max(mostPods, pods.length)
    if (second % syncS === 0)
      pods = scaled(pods, hpa.decide(second, ready.map(average), pods.length), () => start(second + pod.startS))
  }
  return { lost, requests, waitMs: quantile(waits, requests), podHours: podSeconds / 3_600, mostPods }
}

/** One second of a pod: what it drops, how long what comes waits, and what the autoscaler sees. */
function serve(one: Running, rate: number, { cost, share }: Moment, signal: Signal, pod: Pod) {
  const each = cost / pod.capacity
  const work = one.backlog + rate * each
  const done = Math.min(work, share)
  const left = work - done
  const kept = Math.min(left, patienceS * share)
  const dropped = (left - kept) / each
  one.backlog = kept
  // Active is the loop also while it has work and its CPU is somebody else's; CPU time it has none of then.
  const active = Math.min(1, work / share)
  const value = signal === 'loop' ? active : done * (1 + pod.beside)
  const queued = active >= 1 ? 0 : (bunch * (each / share) * active) / (1 - active)
  return { dropped, waitS: Math.min(patienceS, kept / share + queued), value }
}

function scaled(pods: readonly Running[], count: number, start: () => Running): Running[] {
  if (count >= pods.length) return [...pods, ...Array.from({ length: count - pods.length }, start)]
  // Those that are not ready yet go first, as Kubernetes has it.
  return pods.toSorted((a, b) => a.readyAt - b.readyAt).slice(0, count)
}

function average({ seen }: Running): number {
  return seen.reduce((sum, value) => sum + value, 0) / seen.length
}

function quantile(waits: readonly { readonly ms: number; readonly requests: number }[], requests: number): number {
  let above = requests / 100
  for (const { ms, requests: of } of waits.toSorted((a, b) => b.ms - a.ms)) {
    above -= of
    if (above <= 0) return ms
  }
  return 0
}
