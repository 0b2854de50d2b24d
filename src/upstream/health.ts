import { Scope } from '../call/scope.ts'
import type { Alarm, Wheel } from '../call/wheel.ts'

// How many checks in a row change what is held of an endpoint: HAProxy's defaults for `fall` and `rise`. One that is
// taken out sheds its load upon the others, so that takes more than to take it back.
const fall = 3
const rise = 2
// How much earlier or later than its time a check may come, so that many gateways do not ask in step.
const jitter = 0.1

/** The endpoints that are checked, whichever there are. */
export interface Checked {
  list(): readonly { readonly key: string }[]
  /** Takes what the checks of an endpoint say of it. */
  judge(key: string, healthy: boolean): void
}

/** What is checked, how and how often. */
export interface Checks {
  readonly endpoints: Checked
  readonly everyMs: number
  /** The longest that a check may take; `everyMs` bounds it too. */
  readonly timeoutMs: number
  /** Asks an endpoint whether it is well. Like an upstream it never rejects, and settles when its scope ends. */
  readonly check: (key: string, scope: Scope) => Promise<boolean>
  readonly wheel: Wheel
  readonly random: () => number
}

/** Checks each endpoint now and then, whichever there are, and has it judged. Gives what stops that at once. */
export function startChecks(checks: Checks): () => void {
  const { endpoints, everyMs, wheel } = checks
  const stops = new Map<string, () => void>()
  let alarm: Alarm

  /** Begins with the endpoints that are new and leaves those that are gone. */
  const follow = (): void => {
    const keys = new Set(endpoints.list().map(({ key }) => key))
    for (const [key, stop] of stops) {
      if (keys.has(key)) continue
      stops.delete(key)
      stop()
    }
    for (const key of keys) if (!stops.has(key)) stops.set(key, checkOne(key, checks, follow))
  }
  const look = (): void => {
    follow()
    alarm = wheel.set(wheel.now() + everyMs, look)
  }

  look()
  return () => {
    wheel.clear(alarm)
    for (const stop of stops.values()) stop()
  }
}

/** Checks one endpoint now and then; `follow` may stop that when a check is due. */
function checkOne(
  key: string,
  { endpoints, everyMs, timeoutMs, check, wheel, random }: Checks,
  follow: () => void,
): () => void {
  /** How many checks in a row were good, or below 0 how many were bad. */
  let row = 0
  let stopped = false
  let scope: Scope | null = null

  const judge = (good: boolean): void => {
    row = good ? Math.max(row, 0) + 1 : Math.min(row, 0) - 1
    if (row >= rise) endpoints.judge(key, true)
    if (row <= -fall) endpoints.judge(key, false)
  }
  const due = (): void => {
    follow()
    if (stopped) return
    const now = wheel.now()
    const nextAt = now + everyMs * (1 + jitter * (2 * random() - 1))
    const asking = new Scope(wheel, now + Math.min(everyMs, timeoutMs))
    scope = asking
    void check(key, asking).then((good) => {
      asking.close()
      if (stopped) return
      judge(good)
      // Only now, and not when it began: there are never two checks of one endpoint.
      alarm = wheel.set(nextAt, due)
    })
  }
  // At random, so that not all are asked at once.
  let alarm = wheel.set(wheel.now() + everyMs * random(), due)

  return () => {
    stopped = true
    wheel.clear(alarm)
    scope?.close()
  }
}
