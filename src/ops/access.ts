import { type Line, Sparing } from '../telemetry/log.ts'
import type { Kept } from '../telemetry/record.ts'

/** Where access lines are written. */
type Write = (level: Line['level'], message: string, fields: Line['fields']) => void

/**
 * Makes what writes a line for each request that was kept: its ids, its steps, and what went wrong with them. Of those
 * that were kept for a reason at most ten a second for each, since under overload that may be all there are.
 */
export function accessLines(write: Write): (kept: readonly Kept[]) => void {
  const sparing = new Sparing({ write: (_, message, fields) => write('info', message, fields) }, () => Date.now())
  return (kept) => {
    for (const one of kept) {
      if (one.why === 'sampled') write('info', 'request', fieldsOf(one))
      else sparing.write(`${one.why} ${one.result}`, 'request', fieldsOf(one))
    }
  }
}

function fieldsOf(kept: Kept): Line['fields'] {
  const { route, method, path, status, result, why, requestId, traceId, durationMs, busyMs, loopWaitMs } = kept
  return {
    route,
    method,
    path,
    status,
    result,
    why,
    requestId,
    traceId,
    durationMs: rounded(durationMs),
    busyMs: rounded(busyMs),
    loopWaitMs: rounded(loopWaitMs),
    ...(kept.steps.length > 0 && { steps: kept.steps.map(stepOf) }),
  }
}

function stepOf({ name, beganMs, endedMs, error, cache, skipped }: Kept['steps'][number]) {
  return {
    name,
    ms: rounded(endedMs - beganMs),
    ...(error !== undefined && { error }),
    ...(cache !== undefined && { cache }),
    ...(skipped && { skipped }),
  }
}

/** To the µs: more than that is noise. */
function rounded(ms: number): number {
  return Math.round(ms * 1_000) / 1_000
}
