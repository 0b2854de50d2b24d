import type { Layer } from '../call/call.ts'
import type { CallMeter } from '../telemetry/meters.ts'

/** Counts each call once, with what became of it. */
export function measure(meter: CallMeter): Layer {
  return (next) => (call, scope) => {
    meter.begin()
    return next(call, scope).then((outcome) => {
      meter.end(outcome.ok ? null : outcome.error)
      return outcome
    })
  }
}
