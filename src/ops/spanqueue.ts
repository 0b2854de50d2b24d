import type { Kept } from '../telemetry/record.ts'
import type { Sent } from './send.ts'

/** Where traces wait to be sent. */
export interface SpanQueue {
  add(kept: readonly Kept[]): void
  /** Sends what waits, each batch once, and then no more. */
  close(): Promise<void>
}

// At a kilobyte each some megabytes: all that a collector which is away may cost.
const maxWaiting = 8_192
// What OpenTelemetry's own batches have at the most.
const maxBatch = 512
const gatherMs = 1_000
const mostTries = 5
const longestPauseMs = 30_000

/**
 * Sends traces in batches, one at a time, a little after they came. What a collector does not take is tried again, with
 * longer and longer pauses; meanwhile the queue fills, and what no longer fits is dropped.
 */
export function spanQueue(push: (batch: readonly Kept[]) => Promise<Sent>, drop: (spans: number) => void) {
  const waiting: Kept[] = []
  let spans = 0
  let tries = 0
  let timer: NodeJS.Timeout | null = null
  let sending: Promise<void> | null = null
  let closed = false

  const schedule = (ms: number): void => {
    if (timer !== null || sending !== null || closed) return
    timer = setTimeout(() => {
      timer = null
      void sendAll()
    }, ms).unref()
  }
  const sendAll = (): Promise<void> => {
    sending ??= sendBatches().finally(() => {
      sending = null
      if (waiting.length > 0) schedule(pauseMs)
    })
    return sending
  }
  let pauseMs = 0

  async function sendBatches(): Promise<void> {
    while (waiting.length > 0) {
      const batch = nextBatch(waiting)
      const sent = await push(batch)
      const again = !sent.ok && sent.again && ++tries < mostTries && !closed
      if (again) {
        pauseMs = Math.max(sent.afterMs, Math.min(gatherMs * 2 ** tries, longestPauseMs) * (0.5 + Math.random() / 2))
        return
      }
      if (!sent.ok) drop(spansIn(batch))
      waiting.splice(0, batch.length)
      spans -= spansIn(batch)
      tries = 0
      pauseMs = 0
    }
  }

  return {
    add(kept: readonly Kept[]) {
      for (const one of kept) {
        const own = spansIn([one])
        if (spans + own > maxWaiting) drop(own)
        else {
          waiting.push(one)
          spans += own
        }
      }
      if (waiting.length > 0) schedule(gatherMs)
    },
    async close() {
      closed = true
      if (timer !== null) clearTimeout(timer)
      await sending
      await sendAll()
    },
  } satisfies SpanQueue
}

function nextBatch(waiting: readonly Kept[]): readonly Kept[] {
  let spans = 0
  const end = waiting.findIndex((one) => (spans += spansIn([one])) > maxBatch)
  return waiting.slice(0, end === -1 ? waiting.length : Math.max(end, 1))
}

function spansIn(kept: readonly Kept[]): number {
  return kept.reduce((sum, { attempts }) => sum + 1 + attempts.length, 0)
}
