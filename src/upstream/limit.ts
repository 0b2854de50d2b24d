import type { Layer, Outcome } from '../call/call.ts'
import { failure } from '../call/failure.ts'
import type { Scope } from '../call/scope.ts'
import type { Limiter } from '../policy/limiter.ts'

interface Waiter {
  readonly go: () => void
}

/** Lets as many calls at once to an upstream as its limiter permits; others wait in order, for a bounded time. */
export function limit(limiter: Limiter, now: () => number): Layer {
  const queue = new Set<Waiter>()

  function leave(): void {
    if (!limiter.leave()) return
    const first = queue.values().next().value as Waiter
    queue.delete(first)
    first.go()
  }

  /** Settles with null once there is a permit, else with why there is none. */
  function wait(scope: Scope): Promise<Outcome | null> {
    const waitMs = limiter.queue(now())
    if (waitMs === null) return Promise.resolve(failure('connection_limit_reached', 'the queue is full'))
    const patience = scope.within(waitMs)
    return new Promise((resolve) => {
      const waiter: Waiter = {
        go() {
          patience.unwatch(giveUp)
          patience.close()
          resolve(null)
        },
      }
      const giveUp = (): void => {
        // A waiter that has the permit already is gone from the queue.
        if (!queue.delete(waiter)) return
        limiter.unqueue()
        resolve(failure(scope.ended ?? 'connection_limit_reached', `no permit within ${Math.round(waitMs)} ms`))
      }
      queue.add(waiter)
      patience.watch(giveUp)
    })
  }

  return (next) => {
    const go: typeof next = (call, scope) =>
      next(call, scope).then((outcome) => {
        leave()
        return outcome
      })
    return async (call, scope) => {
      if (limiter.enter()) return go(call, scope)
      return (await wait(scope)) ?? go(call, scope)
    }
  }
}
