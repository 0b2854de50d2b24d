import { type PerformanceEntry, PerformanceObserver, constants } from 'node:perf_hooks'
import type { Instruments } from './instruments.ts'

/** The kinds of garbage collection, as OpenTelemetry calls them. */
export const collectionTypes = ['minor', 'major', 'incremental', 'weakcb'] as const

const places: Readonly<Record<number, number>> = {
  [constants.NODE_PERFORMANCE_GC_MINOR]: 0,
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 1,
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 2,
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 3,
}

/** Times each garbage collection of this thread. Gives what ends that. */
export function timeCollections(instruments: Instruments): () => void {
  const durations = instruments.histogram('v8js.gc.duration', {})
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { duration, detail } = entry as PerformanceEntry & { readonly detail: { readonly kind: number } }
      durations.record(places[detail.kind] ?? 0, duration / 1_000)
    }
  })
  observer.observe({ entryTypes: ['gc'] })
  return () => observer.disconnect()
}
