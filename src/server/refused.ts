import type { IncomingMessage } from 'node:http'
import type { Account, Work } from '../call/work.ts'
import type { Sparing } from '../telemetry/log.ts'
import type { RefusalMeter } from '../telemetry/meters.ts'
import { methodOf } from './method.ts'
import { type Refusal, proxyErrorOf } from './problem.ts'

/** Is told of each request that is answered before any route has it; of one that could not be read, without it. */
export type Refused = (refusal: Refusal, requestId: string, incoming?: IncomingMessage) => void

/** Counts refused requests by status, tells them in the log, sparingly, and charges the loop's time that they take. */
export function refusedBy(meter: RefusalMeter, log: Sparing, work: Work, account: Account): Refused {
  return (refusal, requestId, incoming) => {
    work.on(account)
    // The answer is written next, by whoever has told.
    process.nextTick(() => work.off())
    const { status, detail } = refusal
    meter.refused(status)
    const path = incoming?.url?.split('?', 1)[0]
    const about = incoming && { method: methodOf(incoming), path }
    log.write(`refused ${status}`, 'request refused', {
      reason: proxyErrorOf(refusal),
      status,
      ...about,
      requestId,
      detail,
    })
  }
}
