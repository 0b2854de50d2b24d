import { type EventLoopUtilization, performance } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'
import type { Worker } from 'node:worker_threads'
import type { Delays } from '../telemetry/delays.ts'

/** Looks at one loop from outside, without waiting for it. */
export interface Probe {
  readonly delays: Delays
  /** How long the loop was active and idle since it began, in ms. Always answers. */
  utilization(): EventLoopUtilization
  /** Bytes in use and the most there may be, as far as is known. */
  heap(): { readonly used: number; readonly limit: number }
  /** CPU time of the thread in µs, as far as is known. */
  cpu(): { readonly user: number; readonly system: number }
}

/** Looks at the loop of this thread. */
export function ownProbe(delays: Delays): Probe {
  return {
    delays,
    utilization: () => performance.eventLoopUtilization(),
    heap: () => heapOf(getHeapStatistics()),
    cpu: () => process.threadCpuUsage(),
  }
}

/** Looks at the loop of a worker. */
export function workerProbe(worker: Worker, delays: Delays): Probe {
  const heap = asked(() => worker.getHeapStatistics().then(heapOf), { used: 0, limit: 0 })
  const cpu = asked(() => worker.cpuUsage(), { user: 0, system: 0 })
  return { delays, utilization: () => worker.performance.eventLoopUtilization(), heap, cpu }
}

/**
 * Asks for something that a thread tells when it comes to it, in a native call not before its end: gives what it last
 * told, and asks again once it has answered.
 */
function asked<Answer>(ask: () => Promise<Answer>, before: Answer): () => Answer {
  let last = before
  let waiting = false
  return () => {
    if (!waiting) {
      waiting = true
      // A thread that is gone tells no more: what it told last stands.
      ask().then(
        (answer) => {
          last = answer
          waiting = false
        },
        () => {},
      )
    }
    return last
  }
}

function heapOf(told: { readonly used_heap_size: number; readonly heap_size_limit: number }) {
  return { used: told.used_heap_size, limit: told.heap_size_limit }
}
