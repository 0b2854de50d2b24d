import type { State } from './plan.ts'
import { type Names, isFromClient, loneRef, reader } from './read.ts'
import { makeAll } from './reference.ts'

type Scalar = string | number | boolean | null

/** When a step runs: values that references must have, or one reference that must be present and true. */
export type Condition = string | Readonly<Record<string, Scalar | readonly Scalar[]>>

/** Compiles `when` and `unless` of a step into one test. Throws a TemplateFault. */
export function compileRuns(
  when: Condition | undefined,
  unless: Condition | undefined,
  names: Names,
): (state: State) => boolean {
  const holds = when === undefined ? () => true : compileCondition(when, names)
  if (unless === undefined) return holds
  const forbids = compileCondition(unless, names)
  return (state) => holds(state) && !forbids(state)
}

function compileCondition(condition: Condition, names: Names): (state: State) => boolean {
  if (typeof condition === 'string') {
    const read = reader(loneRef(condition), names, true)
    return (state) => isTrue(read(state))
  }
  const tests = makeAll<((state: State) => boolean)[]>(
    Object.entries(condition).map(([written, wanted]) => [[written], () => compileTest(written, wanted, names)]),
  )
  return (state) => tests.every((test) => test(state))
}

function compileTest(written: string, wanted: Scalar | readonly Scalar[], names: Names): (state: State) => boolean {
  const ref = loneRef(written)
  const read = reader(ref, names, true)
  const values = Array.isArray(wanted) ? (wanted as readonly Scalar[]) : [wanted as Scalar]
  // A client can only send text, so `1` in the config must match its "1".
  const same = isFromClient(ref) ? sameText : Object.is
  return (state) => {
    const value = read(state) ?? null
    return values.some((one) => same(value, one))
  }
}

function sameText(value: unknown, wanted: Scalar): boolean {
  if (value === null || wanted === null) return value === wanted
  return typeof value !== 'object' && String(value) === String(wanted)
}

// What clients write for "no" in a query: ?details=0, ?details=false, ?details=
const falseTexts = ['', '0', 'false']

function isTrue(value: unknown): boolean {
  return typeof value === 'string' ? !falseTexts.includes(value) : Boolean(value)
}
