import { measureDelays } from '../telemetry/delays.ts'
import type { Instruments } from '../telemetry/instruments.ts'
import { type Probe, ownProbe } from './probe.ts'
import type { Tells } from './vitals.ts'
import { type LoopSecond, loopWatch, processWatch } from './watch.ts'

/** A data loop that is watched, as it is now. */
export interface Watched {
  readonly name: string
  /** Null while it is being replaced. */
  readonly probe: Probe | null
  readonly listening: boolean
  readonly deaths: number
}

/** What was seen in one second. */
export interface Seen {
  /** When the second was over, in ms since the epoch. */
  readonly at: number
  readonly control: LoopSecond
  readonly loops: readonly LoopSecond[]
  readonly rssBytes: number
}

/** Makes what looks at all loops and at the process, to be called once a second. */
export function observer(numbers: Instruments, tells: Tells, watched: () => readonly Watched[]): () => Seen {
  const own = ownProbe(measureDelays().delays)
  const watchOwn = loopWatch(numbers, 'control')
  const watches = watched().map(({ name }) => ({
    loop: loopWatch(numbers, name),
    listening: numbers.slot('oneloop.loop.listening', { loop: name }),
    deaths: numbers.slot('oneloop.loop.deaths', { loop: name }),
  }))
  const watchProcess = processWatch(numbers, tells)
  return () => {
    const current = watched()
    const loops = watches.flatMap(({ loop, listening, deaths }, i) => {
      const one = current[i]
      if (one === undefined) return []
      listening.set(one.listening ? 1 : 0)
      deaths.set(one.deaths)
      return [loop(one.probe)]
    })
    return { at: Date.now(), control: watchOwn(own), loops, rssBytes: watchProcess() }
  }
}
