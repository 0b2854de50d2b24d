// Preloaded into a gateway under soak, in both of its threads: has it end with us, and tells what it holds.
import { queryObjects } from 'node:v8'
import { BroadcastChannel, isMainThread } from 'node:worker_threads'
import { Scope } from '../../src/call/scope.ts'
import { type Alarm, Wheel } from '../../src/call/wheel.ts'
import '../leash.ts'

/** What a gateway holds. */
export interface Held {
  readonly rssBytes: number
  /** What is alive in the data loop's heap, after a collection. */
  readonly heapBytes: number
  /** Alarms that are set on its wheels. */
  readonly alarms: number
  /** Scopes that are still known to somebody, hence what watches them. */
  readonly scopes: number
}

const channel = new BroadcastChannel('soak')
channel.unref()
if (isMainThread) {
  process.on('message', () => channel.postMessage('look'))
  channel.onmessage = ({ data }: MessageEvent) => process.send?.(data)
  process.channel?.unref() // as the leash does: listening has just undone it
} else {
  const wheels = new Set<Wheel>()
  // It is made by loop.ts, which knows nothing of us: but it cannot be used without this.
  const set = Reflect.get(Wheel.prototype, 'set') as (this: Wheel, ...args: Parameters<Wheel['set']>) => Alarm
  Wheel.prototype.set = function (...args) {
    wheels.add(this)
    return set.call(this, ...args)
  }
  channel.onmessage = () => {
    globalThis.gc?.()
    const { rss: rssBytes, heapUsed: heapBytes } = process.memoryUsage()
    const alarms = [...wheels].reduce((sum, wheel) => sum + wheel.size, 0)
    const scopes = queryObjects(Scope, { format: 'count' })
    channel.postMessage({ rssBytes, heapBytes, alarms, scopes } satisfies Held)
  }
}
