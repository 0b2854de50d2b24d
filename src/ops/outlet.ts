import type { Instruments } from '../telemetry/instruments.ts'
import type { LogWriter } from './log.ts'
import type { Send, Sent } from './send.ts'

/** Sends the messages of one signal, and accounts for what becomes of them. */
export interface Outlet {
  /** Sends a message of so many items. */
  push(body: Uint8Array, withinMs: number): Promise<Sent>
  /** Counts items that the collector will not get. */
  drop(items: number): void
}

/** What a collector says of a message that it took in part. */
export interface Taken {
  readonly rejected: number
  readonly why: string
}

interface Ground {
  readonly send: Send
  readonly numbers: Instruments
  readonly log: LogWriter['log']
  /** Reads the collector's answer. */
  readonly read: (reply: Uint8Array) => Taken
}

/** Makes the outlet of a signal. The log is told when the collector takes no more, and when it does again. */
export function outlet(signal: 'metrics' | 'traces', { send, numbers, log, read }: Ground): Outlet {
  const place = signal === 'metrics' ? 0 : 1
  const [ok, failed] = [0, 1].map((result) => numbers.slot('oneloop.otlp.pushes', {}, place * 2 + result))
  const dropped = numbers.slot('oneloop.otlp.dropped', {}, place)
  let isAway = false
  const away = (why: string): void => {
    if (!isAway) log('warn', 'collector takes nothing', { signal, why })
    isAway = true
  }
  const back = (): void => {
    if (isAway) log('info', 'collector is back', { signal })
    isAway = false
  }
  return {
    async push(body, withinMs) {
      const sent = await send(`/v1/${signal}`, body, withinMs)
      if (!sent.ok) {
        failed?.add(1)
        away(sent.why)
        return sent
      }
      ok?.add(1)
      back()
      const { rejected, why } = readOr(read, sent.body)
      dropped.add(rejected)
      if (rejected > 0) log('warn', 'collector takes a part', { signal, rejected, why })
      return sent
    },
    drop: (items) => dropped.add(items),
  }
}

/** What the collector says it left out; nothing, if it cannot be read: it said that all is well. */
function readOr(read: Ground['read'], reply: Uint8Array): Taken {
  try {
    return read(reply)
  } catch {
    return { rejected: 0, why: '' }
  }
}
