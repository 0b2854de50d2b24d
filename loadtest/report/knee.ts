import { median } from '../bench/stats.ts'
import type { Step } from '../play/result.ts'

/** What a ramp tells of one loop. */
export interface Knee {
  /** The last step at which latencies are still what they are at ease, and all that is offered is answered well. */
  readonly knee: Step
  /** Requests a second at which the loop is busy four fifths of the time; null when the ramp does not reach that. */
  readonly at80: number | null
  /** The utilisation at which to add another loop. */
  readonly scaleAt: number
}

/** The share of the time at which a loop is taken to be well used. */
export const WELL_USED = 0.8
/** At ease a loop is busy for less than half of the time. */
const AT_EASE = 0.5
/** Latencies that are this many times what they are at ease are past the knee. */
const TIMES = 3
/** A step of which more than this is answered well keeps up. */
const KEPT_UP = 0.97

/** Finds the knee of a ramp; undefined when it has no step at ease to begin with. */
export function kneeOf(steps: readonly Step[]): Knee | undefined {
  const easy = median(steps.filter(({ utilisation }) => utilisation < AT_EASE).map(({ p99Ms }) => p99Ms))
  // The last one, not the one before the first that is past: a machine has its bad moments, but no load is light by chance.
  const knee = steps.findLast((step) => step.p99Ms <= TIMES * easy && step.good >= KEPT_UP * step.offered)
  if (knee === undefined) return undefined
  const scaleAt = Math.min(WELL_USED, Math.floor(knee.utilisation * 20) / 20)
  return { knee, at80: rateAt(steps, WELL_USED), scaleAt }
}

/** The rate at which a utilisation is first reached, evenly between two steps. */
export function rateAt(steps: readonly Step[], utilisation: number): number | null {
  const index = steps.findIndex((step) => step.utilisation >= utilisation)
  const [above, below] = [steps[index], steps[index - 1]]
  if (above === undefined || below === undefined) return null
  const share = (utilisation - below.utilisation) / (above.utilisation - below.utilisation)
  return Math.round(below.offered + share * (above.offered - below.offered))
}

/** Says it in one sentence. */
export function sentence({ knee, at80, scaleAt }: Knee, asks: string, loops: number): string {
  const who = loops === 1 ? 'One loop serves' : `${loops} loops serve`
  const percent = (share: number) => `${Math.round(share * 100)} %`
  const serves =
    at80 === null
      ? `${who} ${count(knee.offered)} req/s of ${asks} at the knee, ${percent(knee.utilisation)} utilisation`
      : `${who} ${count(at80)} req/s of ${asks} at ${percent(WELL_USED)} utilisation`
  return `${serves}; scale at ${percent(scaleAt)}: the knee is at ${count(knee.offered)} req/s and ${percent(knee.utilisation)}.`
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en').replaceAll(',', ' ')
}
