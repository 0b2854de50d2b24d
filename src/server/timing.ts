import type { Exchange } from './enter.ts'
import { criticalOf, loopWaitOf } from './kept.ts'

/**
 * Writes `Server-Timing` (W3C): each step with its time and what the cache had to say of it or how it failed, then what
 * of the loop's time the request has had so far, and how long at most its replies lay there unseen.
 */
export function serverTiming({ ran, work, began }: Exchange, now: number): string {
  const parts: string[] = []
  if (ran !== null) {
    const { plan, ended } = ran
    plan.steps.forEach(({ name }, place) => {
      const span = ended.spans[place]
      const part = ended.state.parts[place]
      // What was skipped took no time, and what is under way still is cancelled.
      if (span === undefined || Number.isNaN(span.ended) || (part?.failure === null && !part.answered)) return
      const said = part?.failure?.error ?? part?.cache
      parts.push(metric(name, span.ended - span.began, said))
    })
    const attempts = work.attempts ?? []
    parts.push(metric('oneloop-wait', loopWaitOf(attempts, plan, criticalOf(plan, ended)), 'at most'))
  }
  parts.push(metric('oneloop-busy', work.busyMs, 'loop'), metric('oneloop-total', now - began))
  return parts.join(', ')
}

function metric(name: string, ms: number, description?: string): string {
  return `${name};dur=${ms.toFixed(2)}${description === undefined ? '' : `;desc="${description}"`}`
}
