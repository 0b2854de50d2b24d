import type { HrTime } from '@opentelemetry/api'

/** Writes a moment, in ms since the epoch with a fraction, as OpenTelemetry has it: whole seconds and nanoseconds. */
export function hrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1_000)
  return [seconds, Math.round((ms - seconds * 1_000) * 1e6)]
}
