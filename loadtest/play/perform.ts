import { setTimeout as sleep } from 'node:timers/promises'
import { findLoad } from '../bench/load.ts'
import type { Second } from '../drive/play.ts'
import type { Phase } from '../drive/schedule.ts'
import type { Event, Scenario } from './scenario.ts'
import type { Stage } from './stage.ts'
import { type Interval, watcher } from './watch.ts'

/** A scenario with its rates worked out, as it is played. */
export interface Score {
  readonly scenario: Scenario
  readonly phases: readonly Phase[]
  /** Requests a second that the gateway was first found to bear; null where nobody asked. */
  readonly capacity: number | null
}

/** What was seen from both sides, second by second. */
export interface Seen {
  readonly seconds: readonly Second[]
  readonly intervals: readonly Interval[]
  /** What the player itself found amiss; undefined when nothing. */
  readonly fault?: string
}

/** Sends a score's requests and tells what became of them. */
export type Player = (score: Score, stage: Stage) => Promise<Pick<Seen, 'seconds' | 'fault'>>

const connections = 128

/** Works out the rates, for which it may first find out what the gateway bears; `length` stretches all times. */
export async function scoreOf(scenario: Scenario, stage: Stage, length: number): Promise<Score> {
  const phases = scenario.phases.map((phase) => ({
    ...phase,
    seconds: Math.max(1, Math.round(phase.seconds * length)),
  }))
  const events = scenario.events?.map((event) => ({ ...event, second: Math.round(event.second * length) }))
  const timed = events === undefined ? scenario : { ...scenario, events }
  if (scenario.rates === 'requests') return { scenario: timed, phases, capacity: null }
  const capacity = await capacityOf(stage.url + scenario.mix[0]!.path)
  const scaled = phases.map(({ seconds, from, to }) => ({ seconds, from: from * capacity, to: to * capacity }))
  return { scenario: timed, phases: scaled, capacity: Math.round(capacity) }
}

/** How long a score is. */
export function lengthOf({ phases }: Score): number {
  return phases.reduce((sum, { seconds }) => sum + seconds, 0)
}

async function capacityOf(url: string): Promise<number> {
  const load = findLoad()
  await load.run(url, connections, 5) // a gateway that has just started is slower than it will be
  const { requests, seconds, fault } = await load.run(url, connections, 4)
  if (fault !== undefined) throw new Error(`the gateway's capacity cannot be told: ${fault}`)
  await sleep(2000) // what the gateway tells lags by a second, and must be of the play alone
  return requests / seconds
}

/** Plays a score, makes its faults happen, and asks the gateway each second how it is doing. */
export async function perform(score: Score, stage: Stage, play: Player): Promise<Seen> {
  const over = new AbortController()
  const watched = watch(stage.opsUrl, lengthOf(score))
  const events = Promise.all((score.scenario.events ?? []).map((event) => bringAbout(event, stage, over.signal)))
  try {
    const { seconds, fault } = await play(score, stage)
    return { seconds, intervals: await watched, ...(fault === undefined ? {} : { fault }) }
  } finally {
    over.abort()
    await events
  }
}

async function watch(opsUrl: string, seconds: number): Promise<Interval[]> {
  const read = watcher()
  const scrape = async (): Promise<Interval> => {
    const response = await fetch(`${opsUrl}/metrics`)
    if (!response.ok) throw new Error(`${opsUrl}/metrics answered ${response.status}`)
    return read(await response.text())
  }
  const began = performance.now()
  await scrape()
  const intervals: Interval[] = []
  for (let second = 1; second <= seconds; second++) {
    await sleep(began + second * 1000 - performance.now())
    intervals.push(await scrape())
  }
  return intervals
}

async function bringAbout({ second, upstream, faults }: Event, stage: Stage, over: AbortSignal): Promise<void> {
  const url = `${stage.upstreams[upstream]}/__faults`
  try {
    await sleep(second * 1000, undefined, { signal: over })
  } catch {
    return // the play has ended before
  }
  await fetch(url, faults === null ? { method: 'DELETE' } : { method: 'POST', body: JSON.stringify(faults) })
}
