import type { Call, Layer, Outcome, Sink } from '../call/call.ts'
import { failure, verdictOf } from '../call/failure.ts'
import type { Breaker, Pass } from '../policy/breaker.ts'

// While its return is ramped, those who are refused must not come back as a herd.
const soonestMs = 1_000

/**
 * Refuses calls at once to an upstream of which most calls fail, until a few that are let through succeed. `onState`
 * is told of each change.
 */
export function breaker(policy: Breaker, now: () => number, onState: (state: Breaker['state']) => void): Layer {
  let seen = policy.state
  const look = (): void => {
    if (policy.state === seen) return
    seen = policy.state
    onState(seen)
  }
  const leave = (pass: Pass, began: number, outcome: Outcome): void => {
    const ended = now()
    const verdict = verdictOf(outcome)
    // An overload is an answer.
    policy.leave(pass, ended, verdict === 'overload' ? 'good' : verdict, ended - began)
    look()
  }
  return (next) => (call, scope) => {
    const began = now()
    const pass = policy.enter(began)
    look()
    if (pass === null) {
      const refused = failure('destination_unavailable', 'most calls to it have failed lately')
      return Promise.resolve({ ...refused, retryAfterMs: Math.max(soonestMs, policy.retryInMs(began)) })
    }
    let judged = false
    const judge = (outcome: Outcome): void => {
      if (!judged) leave(pass, began, outcome)
      judged = true
    }
    const made = call.sink === undefined ? call : judgedByHead(call, call.sink, judge)
    return next(made, scope).then((outcome) => {
      judge(outcome)
      return outcome
    })
  }
}

/** A stream lasts as long as it lasts: what it says of the upstream, its head says. */
function judgedByHead(call: Call, sink: Sink, judge: (outcome: Outcome) => void): Call {
  const head: Sink['head'] = (status, headers, resume) => {
    judge({ ok: true, status, headers, body: none })
    sink.head(status, headers, resume)
  }
  return { ...call, sink: { head, chunk: (bytes) => sink.chunk(bytes) } }
}

const none = new Uint8Array()
