import {
  type Attributes,
  type HrTime,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  createTraceState,
} from '@opentelemetry/api'
import type { Resource } from '@opentelemetry/resources'
import type { ReadableSpan } from '@opentelemetry/sdk-trace'
import type { Kept, KeptAttempt, KeptStep } from '../telemetry/record.ts'
import { hrTime } from './moment.ts'

/** What all spans of this gateway have in common. */
export interface Origin {
  readonly resource: Resource
  readonly scope: { readonly name: string; readonly version: string }
}

/**
 * Makes OpenTelemetry's spans of a request that is over: one of the server and one of a client for each attempt, with
 * the ids that went upstream while it ran, named by the semantic conventions where these have a name.
 */
export function spansOf(kept: Kept, origin: Origin): ReadableSpan[] {
  return [serverSpan(kept, origin), ...kept.attempts.map((attempt) => clientSpan(kept, attempt, origin))]
}

type Event = ReadableSpan['events'][number]

function serverSpan(kept: Kept, origin: Origin): ReadableSpan {
  const failed = isFailure(kept)
  const attributes: Attributes = {
    'http.request.method': kept.method,
    'http.route': kept.route,
    'url.path': kept.path,
    'http.response.status_code': kept.status,
    ...(failed && { 'error.type': kept.result }),
    'oneloop.request.id': kept.requestId,
    'oneloop.result': kept.result,
    'oneloop.kept': kept.why,
    'oneloop.busy_ms': kept.busyMs,
    'oneloop.loop_wait_ms': kept.loopWaitMs,
    'oneloop.loop.utilization': kept.utilisation,
    'oneloop.critical_path': kept.steps.filter(({ critical }) => critical).map(({ name }) => name),
  }
  const parent = kept.parentSpanId === null ? {} : { parentSpanContext: contextOf(kept, kept.parentSpanId, true) }
  return {
    ...parent,
    ...spanOf(origin, kept.beganAt, kept.durationMs),
    // A route that has no name of its own is called by its method and path.
    name: kept.route.startsWith(`${kept.method} `) ? kept.route : `${kept.method} ${kept.route}`,
    kind: SpanKind.SERVER,
    spanContext: () => contextOf(kept, kept.spanId, false),
    // What the client did wrong is no error of ours.
    status: failed && kept.status >= 500 ? { code: SpanStatusCode.ERROR, message: kept.result } : unset,
    attributes,
    events: [...kept.steps.flatMap((step) => stepEvents(kept, step)), ...mergeEvent(kept)],
  }
}

function clientSpan(kept: Kept, attempt: KeptAttempt, origin: Origin): ReadableSpan {
  const { beganMs, endedMs, error, status, endpoint } = attempt
  const attributes: Attributes = {
    'http.request.method': attempt.method,
    ...serverAttributes(endpoint, attempt.path.split('?', 1)[0] as string),
    ...(status !== undefined && { 'http.response.status_code': status }),
    ...(error !== undefined && { 'error.type': error }),
    ...(attempt.resend > 0 && { 'http.request.resend_count': attempt.resend }),
    ...(attempt.step !== '' && { 'oneloop.step': attempt.step }),
    'oneloop.upstream': attempt.upstream,
    ...(attempt.hedge && { 'oneloop.hedge': true }),
    'oneloop.loop_wait_ms': attempt.loopWaitMs,
  }
  return {
    ...spanOf(origin, kept.beganAt + beganMs, endedMs - beganMs),
    name: `${attempt.method} ${attempt.upstream}`,
    kind: SpanKind.CLIENT,
    spanContext: () => contextOf(kept, attempt.spanId, false),
    parentSpanContext: contextOf(kept, kept.spanId, false),
    status: error === undefined ? unset : { code: SpanStatusCode.ERROR, message: error },
    attributes,
    events: attemptEvents(kept, attempt),
  }
}

/** What was connected to: `10.0.0.1:8080`, or a URL of it. */
function serverAttributes(endpoint: string, path: string): Attributes {
  const url = URL.parse(endpoint.includes('://') ? endpoint : `tcp://${endpoint}`)
  if (url === null) return { 'url.path': path }
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port)
  const where = url.protocol === 'tcp:' ? { 'url.path': path } : { 'url.full': `${url.origin}${path}` }
  return { 'server.address': url.hostname, 'server.port': port, ...where }
}

const unset = { code: SpanStatusCode.UNSET }

function spanOf({ resource, scope }: Origin, beganAt: number, durationMs: number) {
  return {
    startTime: hrTime(beganAt),
    endTime: hrTime(beganAt + durationMs),
    duration: hrTime(durationMs),
    ended: true,
    resource,
    instrumentationScope: scope,
    links: [],
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  }
}

function contextOf({ traceId, flags, tracestate }: Kept, spanId: string, isRemote: boolean): SpanContext {
  const state = tracestate === undefined ? {} : { traceState: createTraceState(tracestate) }
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote, ...state }
}

function isFailure({ result }: Kept): boolean {
  return result !== 'ok' && result !== 'partial' && result !== 'client_error'
}

/** The moments of an attempt that it came to. */
function attemptEvents(kept: Kept, { beganMs, queuedMs, connectMs, sentMs, headMs, endedMs }: KeptAttempt): Event[] {
  const moments: [string, number][] = [
    ['connection assigned', queuedMs],
    ['connected', connectMs],
    ['request sent', sentMs],
    ['response head', headMs],
  ]
  // One that never came is no later than the beginning, one that came for others only may be later than the end, and a
  // connection that was there was not made.
  return moments
    .filter(([name, ms]) => ms > beganMs && ms <= endedMs && (name !== 'connected' || ms > queuedMs))
    .map(([name, ms]) => ({ name, time: at(kept, ms) }))
}

function stepEvents(
  kept: Kept,
  { name, upstream, endedMs, cache, error, skipped, optional, items }: KeptStep,
): Event[] {
  const about = { 'oneloop.step': name, 'oneloop.upstream': upstream }
  const time = at(kept, endedMs)
  return [
    ...(cache === undefined ? [] : [{ name: 'cache', time, attributes: { ...about, 'oneloop.cache': cache } }]),
    ...(skipped ? [{ name: 'step skipped', time, attributes: about }] : []),
    ...(error === undefined
      ? []
      : [{ name: 'step failed', time, attributes: { ...about, 'error.type': error, 'oneloop.optional': optional } }]),
    ...(items === undefined ? [] : [{ name: 'items', time, attributes: { ...about, 'oneloop.items': items } }]),
  ]
}

/** When all steps were over, and their replies were made into one answer. */
function mergeEvent(kept: Kept): Event[] {
  if (kept.steps.length === 0) return []
  return [{ name: 'merge', time: at(kept, Math.max(...kept.steps.map(({ endedMs }) => endedMs))) }]
}

function at({ beganAt }: Kept, ms: number): HrTime {
  return hrTime(beganAt + ms)
}
