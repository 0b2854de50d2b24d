import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { ProtobufMetricsSerializer, ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer'
import { resourceFromAttributes } from '@opentelemetry/resources'
import type { ResourceMetrics } from '@opentelemetry/sdk-metrics'
import type { Otlp } from '../config/otlp.ts'
import type { Instruments, Reading } from '../telemetry/instruments.ts'
import type { Kept } from '../telemetry/record.ts'
import type { LogWriter } from './log.ts'
import { metricsOf } from './metrics.ts'
import { outlet } from './outlet.ts'
import { type Sent, sender } from './send.ts'
import { spanQueue } from './spanqueue.ts'
import { type Origin, spansOf } from './spans.ts'

/** Pushes numbers and traces to a collector. */
export interface Push {
  /** Takes traces to be sent soon. */
  traces(kept: readonly Kept[]): void
  /** Sends what is left and the last numbers, within a time, and stops. */
  close(withinMs: number): Promise<void>
}

/** What is pushed, and who is told of it. */
export interface Pushed {
  readonly readings: () => readonly Reading[]
  readonly numbers: Instruments
  readonly log: LogWriter['log']
  readonly version: string
}

const withinMs = 10_000

/**
 * Pushes to an OTLP collector by protobuf over HTTP: numbers at even intervals, traces as they come. A collector that is
 * away, slow or refusing costs a bounded queue, and what does not fit is counted. This is the one file through which
 * OpenTelemetry is loaded: it takes 25 MB, which nobody pays who does not push.
 */
export function otlp({ url, headers, every, resource }: Otlp, { readings, numbers, log, version }: Pushed): Push {
  const scope = { name: 'oneloop', version }
  const origin: Origin = { resource: resourceFromAttributes({ ...ownResource(version), ...resource }), scope }
  const send = sender(url, headers, `oneloop/${version}`)
  const traces = outlet('traces', { send, numbers, log, read: rejectedSpans })
  const metrics = outlet('metrics', { send, numbers, log, read: rejectedPoints })
  // A bug of ours in what is pushed must cost no more than what is pushed.
  const guarded = async (push: () => Promise<Sent>): Promise<Sent> => {
    try {
      return await push()
    } catch (error) {
      const why = error instanceof Error ? (error.stack ?? error.message) : String(error)
      log('error', 'telemetry could not be written', { error: why })
      return { ok: false, why, again: false, afterMs: 0 }
    }
  }
  const queue = spanQueue(
    (batch) => guarded(() => traces.push(tracesBody(batch, origin), withinMs)),
    (spans) => traces.drop(spans),
  )
  let pushing: Promise<void> | null = null

  const pushMetrics = async (): Promise<void> => {
    const now = readings()
    const times = { beganAt: performance.timeOrigin, now: Date.now() }
    const sent = await guarded(() => metrics.push(metricsBody(metricsOf(now, origin, times)), withinMs))
    // Numbers that were not taken are not sent again: the next ones say more.
    if (!sent.ok) metrics.drop(now.length)
  }
  // One at a time: a collector that is slow gets fewer.
  const timer = setInterval(() => {
    pushing ??= pushMetrics().finally(() => (pushing = null))
  }, every).unref()

  return {
    traces: (kept) => queue.add(kept),
    async close(closeMs) {
      clearInterval(timer)
      const done = Promise.all([queue.close(), (pushing ?? Promise.resolve()).then(pushMetrics)])
      const timeout = Promise.withResolvers<void>()
      const limit = setTimeout(timeout.resolve, closeMs)
      await Promise.race([done, timeout.promise])
      clearTimeout(limit)
    },
  }
}

function ownResource(version: string): Record<string, string | number> {
  return {
    'service.name': 'oneloop',
    'service.version': version,
    'service.instance.id': randomUUID(),
    'host.name': hostname(),
    'process.pid': process.pid,
  }
}

function metricsBody(metrics: ResourceMetrics): Uint8Array {
  return ProtobufMetricsSerializer.serializeRequest(metrics) ?? new Uint8Array()
}

function tracesBody(batch: readonly Kept[], origin: Origin): Uint8Array {
  const spans = batch.flatMap((kept) => spansOf(kept, origin))
  return ProtobufTraceSerializer.serializeRequest(spans) ?? new Uint8Array()
}

function rejectedSpans(reply: Uint8Array) {
  const { rejectedSpans: rejected = 0, errorMessage: why = '' } =
    ProtobufTraceSerializer.deserializeResponse(reply).partialSuccess ?? {}
  return { rejected: Number(rejected), why }
}

function rejectedPoints(reply: Uint8Array) {
  const { rejectedDataPoints: rejected = 0, errorMessage: why = '' } =
    ProtobufMetricsSerializer.deserializeResponse(reply).partialSuccess ?? {}
  return { rejected: Number(rejected), why }
}
