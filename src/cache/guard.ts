import { type RedisCode, redisCodes } from '../call/redis.ts'
import type { Wheel } from '../call/wheel.ts'

/** Decides whether a command may be sent, and learns from what becomes of it. */
export interface Gate<Pass> {
  enter(now: number): Pass | null
  leave(pass: Pass, now: number, verdict: 'good' | 'bad', tookMs: number): void
}

/** Counts what becomes of a connection to Redis. */
export interface RedisMeter {
  /** Shows whether it is connected. */
  up(is: boolean): void
  /** Counts what has failed, by its code. */
  failed(code: RedisCode): void
}

/** What commands stand on. */
export interface GuardOptions {
  readonly wheel: Wheel
  readonly meter: RedisMeter
  /** Makes a gate that knows nothing yet: for each connection anew. */
  readonly gate: () => Gate<unknown>
  readonly connected: () => boolean
}

/** Runs a command; undefined when it has failed, was not let through, or took too long: then nobody waits for it. */
export type Guarded = <T>(run: () => Promise<T>) => Promise<T | undefined>

// behaviour.md: at most 50 ms more than without Redis.
const withinMs = 50

/** Makes what commands go through, so that a Redis that is away or slow costs little, and soon nothing. */
export function guard({ wheel, meter, gate, connected }: GuardOptions): { run: Guarded; renew: () => void } {
  let current = gate()
  const run: Guarded = <T>(command: () => Promise<T>) => {
    const began = wheel.now()
    const entered = current
    const pass = connected() ? entered.enter(began) : null
    if (pass === null) return Promise.resolve(undefined)
    return new Promise<T | undefined>((resolve) => {
      const settle = (value: T | undefined, verdict: 'good' | 'bad'): void => {
        wheel.clear(alarm)
        const now = wheel.now()
        entered.leave(pass, now, verdict, now - began)
        resolve(value)
      }
      let late = false
      const alarm = wheel.set(began + withinMs, () => {
        late = true
        meter.failed('timeout')
        settle(undefined, 'bad')
      })
      command().then(
        (value) => {
          if (!late) settle(value, 'good')
        },
        (error: unknown) => {
          if (late) return
          const code = codeOf(error)
          meter.failed(code)
          // What it refuses it has answered: of the others nothing is known.
          settle(undefined, code === 'connection' || code === 'timeout' ? 'bad' : 'good')
        },
      )
    })
  }
  return { run, renew: () => void (current = gate()) }
}

const known: ReadonlySet<string> = new Set(redisCodes)

/** Names what has failed. */
export function codeOf(error: unknown): RedisCode {
  const message = error instanceof Error ? error.message : ''
  const [word = ''] = message.split(' ', 1)
  if (known.has(word)) return word as RedisCode
  if (message === 'Command timed out') return 'timeout'
  // What the server says begins with a word in capitals.
  return /^[A-Z]+ /.test(message) ? 'other' : 'connection'
}
