import type { EventLoopUtilization } from 'node:perf_hooks'
import { type Delays, takeDelays } from '../telemetry/delays.ts'
import type { Attributes, Instruments, Slot } from '../telemetry/instruments.ts'
import type { Probe } from './probe.ts'
import { mostDescriptors, openDescriptors, throttling } from './system.ts'
import { type Tells, type Vital, delayBounds } from './vitals.ts'

/** How one loop was doing in the last second. */
export interface LoopSecond {
  readonly loop: string
  /** The share of it that the loop was active, from 0 to 1. */
  readonly utilization: number
  /** How late its turns made it, in ms; one that is not over counts as far as it is. */
  readonly delayP50Ms: number
  readonly delayP99Ms: number
  readonly delayMaxMs: number
  readonly heapBytes: number
  readonly heapLimitBytes: number
}

/** Makes what looks at a loop once a second, from outside, and keeps what it sees among the numbers. */
export function loopWatch(numbers: Instruments, loop: string): (probe: Probe | null) => LoopSecond {
  const slot = (name: Vital, cell?: number) => numbers.slot(name, { loop }, cell)
  const [active, idle] = [slot('nodejs.eventloop.time', 0), slot('nodejs.eventloop.time', 1)]
  const [user, system] = [slot('oneloop.loop.cpu.time', 0), slot('oneloop.loop.cpu.time', 1)]
  const [used, limit] = [slot('v8js.memory.heap.used'), slot('v8js.memory.heap.limit')]
  const lastUtilization = slot('nodejs.eventloop.utilization')
  const utilizations = numbers.histogram('oneloop.loop.utilization', { loop })
  const lookAtDelays = delayWatch(numbers, { loop })
  let watched: Probe | null = null
  let before = { utilization: none, cpu: { user: 0, system: 0 } }

  return (probe) => {
    // A loop that was replaced begins anew, what is counted of it goes on.
    if (probe !== watched) before = { utilization: none, cpu: { user: 0, system: 0 } }
    watched = probe
    if (probe === null) return { ...absent, loop }
    const now = { utilization: probe.utilization(), cpu: probe.cpu() }
    const activeMs = now.utilization.active - before.utilization.active
    const idleMs = now.utilization.idle - before.utilization.idle
    const utilization = activeMs + idleMs > 0 ? activeMs / (activeMs + idleMs) : 0
    active.add(activeMs / 1_000)
    idle.add(idleMs / 1_000)
    lastUtilization.set(utilization)
    utilizations.record(0, utilization)
    user.add((now.cpu.user - before.cpu.user) / 1_000_000)
    system.add((now.cpu.system - before.cpu.system) / 1_000_000)
    const heap = probe.heap()
    used.set(heap.used)
    limit.set(heap.limit)
    before = now
    return {
      loop,
      utilization,
      ...lookAtDelays(probe.delays, activeMs),
      heapBytes: heap.used,
      heapLimitBytes: heap.limit,
    }
  }
}

const none: EventLoopUtilization = { active: 0, idle: 0, utilization: 0 }
const absent: Omit<LoopSecond, 'loop'> = {
  utilization: 0,
  delayP50Ms: 0,
  delayP99Ms: 0,
  delayMaxMs: 0,
  heapBytes: 0,
  heapLimitBytes: 0,
}

type DelaySecond = Pick<LoopSecond, 'delayP50Ms' | 'delayP99Ms' | 'delayMaxMs'>

/** Moves the delays of a loop into the buckets of a histogram each time, and sums them up. */
function delayWatch(numbers: Instruments, attributes: Attributes): (delays: Delays, activeMs: number) => DelaySecond {
  const { values } = numbers
  const place = numbers.place('oneloop.loop.delay', attributes)
  let stuckMs = 0
  return (all, activeMs) => {
    const delays = takeDelays(all)
    const { count } = delays
    // A turn is measured when it is over: until then all the time that the loop is active is a turn's.
    stuckMs = count === 0 ? stuckMs + activeMs : 0
    if (count === 0) return { delayP50Ms: stuckMs, delayP99Ms: stuckMs, delayMaxMs: stuckMs }
    const atMost = [...delayBounds.map((bound) => Math.round(delays.cdf(bound * 1e9) * count)), count]
    const percentiles = delays.percentilesAt([50, 99])
    const [sumNs, maxNs] = [delays.mean * count, delays.max]
    values[place] = (values[place] as number) + sumNs / 1e9
    atMost.forEach((total, i) => {
      const at = place + 1 + i
      values[at] = (values[at] as number) + total - (atMost[i - 1] ?? 0)
    })
    const ms = (ns: number | undefined): number => (ns ?? 0) / 1e6
    return { delayP50Ms: ms(percentiles.get(50)), delayP99Ms: ms(percentiles.get(99)), delayMaxMs: ms(maxNs) }
  }
}

/** Makes what looks at the process once a second. Gives its resident memory in bytes. */
export function processWatch(numbers: Instruments, tells: Tells): () => number {
  const slot = (name: Vital, cell?: number) => numbers.slot(name, {}, cell)
  const [user, system] = [slot('process.cpu.time', 0), slot('process.cpu.time', 1)]
  const [memory, uptime] = [slot('process.memory.usage'), slot('process.uptime')]
  const lookAtDescriptors = tells.descriptors ? descriptorWatch(slot) : () => {}
  const lookAtCgroup = tells.cgroup ? cgroupWatch(slot) : () => {}
  return () => {
    const cpu = process.cpuUsage()
    const rss = process.memoryUsage.rss()
    user.set(cpu.user / 1_000_000)
    system.set(cpu.system / 1_000_000)
    memory.set(rss)
    uptime.set(process.uptime())
    lookAtDescriptors()
    lookAtCgroup()
    return rss
  }
}

type SlotOf = (name: Vital) => Slot

function descriptorWatch(slot: SlotOf): () => void {
  const [open, most] = [slot('process.open_fds'), slot('process.max_fds')]
  return () => {
    open.set(openDescriptors() ?? 0)
    most.set(mostDescriptors())
  }
}

function cgroupWatch(slot: SlotOf): () => void {
  const [periods, throttled, time] = [
    slot('oneloop.cgroup.periods'),
    slot('oneloop.cgroup.throttled.periods'),
    slot('oneloop.cgroup.throttled.time'),
  ]
  return () => {
    const seen = throttling()
    if (seen === null) return
    periods.set(seen.periods)
    throttled.set(seen.throttledPeriods)
    time.set(seen.throttledS)
  }
}
