import { ValueType } from '@opentelemetry/api'
import {
  AggregationTemporality,
  DataPointType,
  type MetricData,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics'
import type { Reading } from '../telemetry/instruments.ts'
import { hrTime } from './moment.ts'
import type { Origin } from './spans.ts'

/** Makes OpenTelemetry's metrics of numbers as they are now; what grows has grown since `beganAt`. */
export function metricsOf(
  readings: readonly Reading[],
  { resource, scope }: Origin,
  { beganAt, now }: { readonly beganAt: number; readonly now: number },
): ResourceMetrics {
  const times = { startTime: hrTime(beganAt), endTime: hrTime(now) }
  const families = [...Map.groupBy(readings, ({ name }) => name).values()]
  return { resource, scopeMetrics: [{ scope, metrics: families.map((family) => metricOf(family, times)) }] }
}

type Times = Pick<MetricData['dataPoints'][number], 'startTime' | 'endTime'>

function metricOf(family: readonly Reading[], times: Times): MetricData {
  const [{ name, unit, description, kind }] = family as [Reading]
  const shared = {
    descriptor: { name, unit, description, valueType: ValueType.DOUBLE },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  }
  const points = family.map(({ attributes, value }) => ({ ...times, attributes, value }))
  switch (kind) {
    case 'counter':
      return { ...shared, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints: points }
    case 'gauge':
      return { ...shared, dataPointType: DataPointType.GAUGE, dataPoints: points }
    case 'histogram':
      return {
        ...shared,
        dataPointType: DataPointType.HISTOGRAM,
        dataPoints: family.map((one) => histogram(one, times)),
      }
  }
}

function histogram({ attributes, value: sum, bounds = [], buckets = [] }: Reading, times: Times) {
  const count = buckets.reduce((all, inBucket) => all + inBucket, 0)
  const value = { buckets: { boundaries: [...bounds], counts: [...buckets] }, sum, count }
  return { ...times, attributes, value }
}
