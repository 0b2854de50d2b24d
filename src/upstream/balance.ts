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
    const chosen = chooseOfTwo(loads, random)
    const load = loads[chosen] as Load
    const began = now()
    load.begin()
    return (endpoints[chosen] as Upstream)(call, scope).then((outcome) => {
      const ended = now()
      load.end(ended, ended - began, outcome.ok || outcome.error === 'unaccepted_status')
      return outcome
    })
  }
}
