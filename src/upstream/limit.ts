import type { Layer, Outcome } from '../call/call.ts'
import { failure } from '../call/failure.ts'
import type { Scope } from '../call/scope.ts'
import type { Wheel } from '../call/wheel.ts'
import type { Limiter } from '../policy/limiter.ts'

interface Waiter {
  readonly since: number
  readonly go: () => void
}

/** Lets as many calls at once to an upstream as its limiter permits; others wait in order, for a bounded time. */
export function limit(limiter: Limiter, wheel: Wheel): Layer {
  // A Set keeps the order in which they came and lets one that gives up leave at once.
  const queue = new Set<Waiter>()

  function leave(): void {
    if (!limiter.leave()) return
    const first = queue.values().next().value as Waiter
    queue.delete(first)
    limiter.waited(wheel.now() - first.since)
    first.go()
  }

  /** Settles with null once there is a permit, else with why there is none. */
  function wait(scope: Scope): Promise<Outcome | null> {
    const since = wheel.now()
    const waitMs = limiter.queue(since)
    if (waitMs === null) return Promise.resolve(failure('connection_limit_reached', 'the queue is full'))
    return new Promise((resolve) => {
      const done = (outcome: Outcome | null): void => {
        wheel.clear(alarm)
        scope.unwatch(giveUp)
        resolve(outcome)
      }
      const giveUp = (): void => {
        queue.delete(waiter)
        limiter.unqueue()
        done(failure(scope.ended ?? 'connection_limit_reached', `no permit within ${waitMs} ms`))
      }
      const waiter = { since, go: () => done(null) }
      const alarm = wheel.set(since + waitMs, giveUp)
      queue.add(waiter)
      scope.watch(giveUp)
    })
  }

  return (next) => {
    const go: typeof next = (call, scope) =>
      next(call, scope).then((outcome) => {
        leave()
        return outcome
      })
    return (call, scope) => {
      if (limiter.enter()) return go(call, scope)
      return wait(scope).then((refused) => refused ?? go(call, scope))
    }
  }
}
