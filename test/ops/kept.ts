import type { Kept, KeptAttempt } from '../../src/telemetry/record.ts'

const attempt: KeptAttempt = {
  step: 'country',
  upstream: 'countries',
  endpoint: 'http://127.0.0.1:4101/base',
  method: 'GET',
  path: '/base/countries/NO?token=secret',
  spanId: 'a1a1a1a1a1a1a1a1',
  beganMs: 1,
  queuedMs: 1.5,
  connectMs: 2,
  sentMs: 2.25,
  headMs: 5,
  endedMs: 6.5,
  status: 200,
  resend: 0,
  hedge: false,
  loopWaitMs: 0.25,
}

/** Makes the record of a request that went well, but for what is said otherwise. */
export function keptOf(more: Partial<Kept> = {}): Kept {
  return {
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: 'b7ad6b7169203331',
    parentSpanId: null,
    flags: '01',
    requestId: 'request-1',
    route: 'country-profile',
    method: 'GET',
    path: '/v1/countries/NO',
    status: 200,
    result: 'ok',
    why: 'sampled',
    beganAt: 1_700_000_000_000.5,
    durationMs: 10.25,
    busyMs: 0.75,
    loopWaitMs: 0.5,
    utilisation: 0.25,
    steps: [stepOf()],
    attempts: [attemptOf()],
    ...more,
  }
}

/** Makes a step of it. */
export function stepOf(more: Partial<Kept['steps'][number]> = {}): Kept['steps'][number] {
  return { name: 'country', upstream: 'countries', beganMs: 1, endedMs: 7, optional: false, critical: true, ...more }
}

/** Makes an attempt of it. */
export function attemptOf(more: Partial<KeptAttempt> = {}): KeptAttempt {
  return { ...attempt, ...more }
}
