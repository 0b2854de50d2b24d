import { type Failure, statusOf } from '../call/failure.ts'
import type { Part } from './part.ts'
import type { Step } from './plan.ts'

/** A part that a response does without. */
export interface Missing {
  readonly step: string
  readonly failure: Failure
}

/** Lists what failed or was stood in for, in the order of the steps. */
export function missingOf(steps: readonly Step[], parts: readonly (Part | undefined)[]): Missing[] {
  const found: Missing[] = []
  for (let i = 0; i < steps.length; i++) {
    const why = parts[i]?.failure ?? null
    if (why !== null) found.push({ step: (steps[i] as Step).name, failure: why })
  }
  return found
}

/** Writes `Oneloop-Missing`: a structured field list (RFC 9651) with the error of each part as a parameter. */
export function missingField(missing: readonly Missing[]): string {
  return missing.map(({ step, failure }) => `${step};error=${failure.error}${parameters(failure)}`).join(', ')
}

function parameters({ reply, items }: Failure): string {
  return (reply ? `;received-status=${reply.status}` : '') + (items === undefined ? '' : `;items=${items}`)
}

// Which cause says most about a request of which nothing was answered (behaviour.md F3).
const severity = [504, 502, 503]

/** Chooses the worst cause: 504 before 502 before 503 before 4xx. */
export function worst(missing: readonly Missing[]): Missing | null {
  const rank = ({ failure }: Missing): number => {
    // That a reply lacked what a call needs follows from that reply's own failure, and is no cause beside it.
    if (failure.error === 'bind_missing' && failure.from === 'reply') return severity.length + 1
    const at = severity.indexOf(statusOf(failure))
    return at === -1 ? severity.length : at
  }
  return missing.reduce<Missing | null>((one, other) => (one === null || rank(other) < rank(one) ? other : one), null)
}
