import type { Layer, Outcome, Upstream } from '../call/call.ts'
import { failure } from '../call/failure.ts'
import type { Scope } from '../call/scope.ts'
import type { Wheel } from '../call/wheel.ts'
import type { Limiter } from '../policy/limiter.ts'

/** One that waits, linked to who came before and after it: it may leave from either end or from between. */
interface Waiter {
  readonly since: number
  readonly go: () => void
  before: Waiter | null
  after: Waiter | null
}

/**
 * Learns how long a call took from its permit to its outcome, and how many were at work when it began, itself among
 * them. Of streams, which last as long as their reader likes, and of calls that were given up it is not told.
 */
export type Learn = (now: number, tookMs: number, inFlight: number, outcome: Outcome) => void

/**
 * Lets as many calls at once to an upstream as its limiter permits; others wait, for a bounded time: in the order of
 * coming, or the newest first once the queue stands. `queued` is told how many wait whenever that changes.
 */
export function limit(
  limiter: Limiter,
  wheel: Wheel,
  learn?: Learn,
  queued: (calls: number) => void = () => {},
): Layer {
  let oldest: Waiter | null = null
  let newest: Waiter | null = null

  function join(since: number, go: () => void): Waiter {
    const waiter: Waiter = { since, go, before: newest, after: null }
    if (newest === null) oldest = waiter
    else newest.after = waiter
    newest = waiter
    return waiter
  }

  function unlink(waiter: Waiter): void {
    if (waiter.before === null) oldest = waiter.after
    else waiter.before.after = waiter.after
    if (waiter.after === null) newest = waiter.before
    else waiter.after.before = waiter.before
  }

  function leave(): void {
    let going = limiter.leave()
    if (going === 0) return
    for (const now = wheel.now(); going > 0; going--) {
      // The first one's wait, also when the last one goes: that the newest is quick does not say that the queue is.
      limiter.waited(now, now - (oldest as Waiter).since)
      const next = (limiter.standing ? newest : oldest) as Waiter
      unlink(next)
      next.go()
    }
  }

  /** Settles with null once there is a permit, else with why there is none. */
  function wait(scope: Scope): Promise<Outcome | null> {
    const since = wheel.now()
    const waitMs = limiter.queue(since, scope.leftMs())
    if (waitMs === null) {
      return Promise.resolve(failure('connection_limit_reached', 'the queue is full, or longer than the time left'))
    }
    return new Promise((resolve) => {
      const done = (outcome: Outcome | null): void => {
        wheel.clear(alarm)
        scope.unwatch(giveUp)
        queued(limiter.queued)
        resolve(outcome)
      }
      const giveUp = (): void => {
        unlink(waiter)
        limiter.unqueue()
        done(failure(scope.ended ?? 'connection_limit_reached', `no permit within ${waitMs} ms`))
      }
      queued(limiter.queued)
      const waiter = join(since, () => done(null))
      const alarm = wheel.set(since + waitMs, giveUp)
      scope.watch(giveUp)
    })
  }

  return (next) => {
    const plain: Upstream = (call, scope) =>
      next(call, scope).then((outcome) => {
        leave()
        return outcome
      })
    const go = learn === undefined ? plain : measured(next, plain, learn)
    return (call, scope) => {
      if (limiter.enter()) return go(call, scope)
      return wait(scope).then((refused) => refused ?? go(call, scope))
    }
  }

  function measured(next: Upstream, plain: Upstream, learn: Learn): Upstream {
    return (call, scope) => {
      if (call.sink !== undefined) return plain(call, scope)
      const began = wheel.now()
      const inFlight = limiter.busy
      return next(call, scope).then((outcome) => {
        const now = wheel.now()
        // Before the permit is handed on: a limit that has just grown lets in more than one.
        if (outcome.ok || outcome.error !== 'cancelled') learn(now, now - began, inFlight, outcome)
        leave()
        return outcome
      })
    }
  }
}
