import type { Upstream } from '../call/call.ts'
import { type Load, chooseOfTwo } from '../policy/balance.ts'

/** Spreads calls over the endpoints of an upstream, by power of two choices on in-flight × latency. */
export function balance(
  loads: readonly Load[],
  endpoints: readonly Upstream[],
  now: () => number,
  random: () => number,
): Upstream {
  return (call, scope) => {
    const began = now()
    const chosen = chooseOfTwo(loads, began, random)
    const load = loads[chosen] as Load
    load.begin()
    return (endpoints[chosen] as Upstream)(call, scope).then((outcome) => {
      const ended = now()
      if (!outcome.ok && outcome.error === 'cancelled') load.leave(ended, ended - began)
      else load.end(ended, ended - began, outcome.ok || outcome.error === 'unaccepted_status')
      return outcome
    })
  }
}
