import { type FailureName, failures } from '../call/failure.ts'
import type { Attributes } from './instruments.ts'

// A status is told as it is where it is common, else by its class: so there is a bound to how many there are.
const common = [200, 201, 202, 204, 206, 301, 302, 304, 400, 401, 403, 404, 409, 413, 422, 429]
const classes = [1, 2, 3, 4, 5]
const passedOn = [502, 500, 503, 504]
const names = Object.keys(failures) as FailureName[]

/** Tells durations apart: the attributes of each kind of end, and which of them one is. */
export interface Outcomes {
  readonly split: readonly Attributes[]
  /** Finds the place in `split` of what was done by this method and came to this status, or failed. */
  cell(method: string, status: number, error: FailureName | null): number
}

interface End {
  /** A status, the first digit of a class of them, or 0 when there was none. */
  readonly status: number
  readonly error: FailureName | null
}

const answered = [...common, ...classes].map((status): End => ({ status, error: null }))
const unaccepted = [...passedOn, ...common.filter((status) => status >= 300), ...classes].map((status): End => {
  return { status, error: 'unaccepted_status' }
})

/** The ends of requests: each failure has the status that it is answered with. */
export function requestOutcomes(methods: readonly string[]): Outcomes {
  return outcomesOf(methods, [...answered, ...failed((error) => failures[error].status), ...unaccepted])
}

/** The ends of attempts: but for a status that is not accepted, what fails has none. */
export function attemptOutcomes(methods: readonly string[]): Outcomes {
  return outcomesOf(methods, [...answered, ...failed(() => 0), ...unaccepted])
}

function failed(statusOf: (error: FailureName) => number): End[] {
  return names.filter((error) => error !== 'unaccepted_status').map((error) => ({ status: statusOf(error), error }))
}

function outcomesOf(methods: readonly string[], ends: readonly End[]): Outcomes {
  const places = new Map<FailureName | null, Map<number, number>>()
  ends.forEach(({ status, error }, place) => {
    const ofError = places.get(error) ?? new Map<number, number>()
    places.set(error, ofError)
    if (!ofError.has(status)) ofError.set(status, place)
    // Whatever status it comes with, a failure that has but one place has that.
    if (!ofError.has(0)) ofError.set(0, place)
  })
  const rows = new Map(methods.map((method, i) => [method, i * ends.length]))
  return {
    split: methods.flatMap((method) => ends.map((end) => ({ 'http.request.method': method, ...attributesOf(end) }))),
    cell(method, status, error) {
      const ofError = places.get(error) as Map<number, number>
      const place = ofError.get(status) ?? ofError.get(Math.floor(status / 100)) ?? ofError.get(0)
      return (rows.get(method) ?? 0) + (place as number)
    },
  }
}

function attributesOf({ status, error }: End): Attributes {
  const told = status < 10 ? `${status}xx` : String(status)
  return {
    ...(status !== 0 && { 'http.response.status_code': told }),
    ...(error !== null && { 'error.type': error }),
  }
}
