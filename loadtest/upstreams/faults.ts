/** What a service can be told to do wrong while it runs; an empty object is a service in good health. */
export interface Faults {
  /** Added to every answer's time. */
  latencyMs?: number
  /** The share of requests that go wrong, from 0 to 1; all of them when another fault is set and this is not. */
  errorRate?: number
  /** The status of those that go wrong; 503 when nothing else is set. */
  status?: number
  /** The connection is reset before a byte of the answer. */
  reset?: boolean
  /** No answer ever comes. */
  hang?: boolean
  /** Half of the body comes, then the connection is cut. */
  truncate?: boolean
  /** The port is closed for that long, as if the service had been killed and started again. */
  downMs?: number
}

/** How one request is to go wrong. */
export type Mishap = 'reset' | 'hang' | 'truncate' | { readonly status: number }

/** Reads the body of `POST /__faults`; the error's message says what is wrong with it. */
export function readFaults(value: unknown): Faults {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TypeError('faults are a JSON object')
  }
  for (const [name, given] of Object.entries(value)) {
    const rule = rules[name as keyof Faults]
    if (!Object.hasOwn(rules, name)) {
      throw new TypeError(`unknown fault "${name}", known are ${Object.keys(rules).join(', ')}`)
    }
    if (!rule.allows(given)) throw new TypeError(`${name} is ${rule.says}`)
  }
  return { ...value }
}

/** Decides whether this request goes wrong, and how. */
export function mishap(faults: Faults, random: () => number): Mishap | undefined {
  if (random() >= (faults.errorRate ?? 1)) return undefined
  if (faults.reset) return 'reset'
  if (faults.hang) return 'hang'
  if (faults.truncate) return 'truncate'
  if (faults.status !== undefined) return { status: faults.status }
  return faults.errorRate === undefined ? undefined : { status: 503 }
}

const number = (least: number, most: number) => (value: unknown) =>
  typeof value === 'number' && value >= least && value <= most
const flag = { allows: (value: unknown) => typeof value === 'boolean', says: 'true or false' }
const duration = { allows: number(0, 600_000), says: 'a number of milliseconds, at most 600000' }
const rules: Record<keyof Faults, { allows: (value: unknown) => boolean; says: string }> = {
  latencyMs: duration,
  errorRate: { allows: number(0, 1), says: 'a number from 0 to 1' },
  status: {
    allows: (value) => Number.isInteger(value) && number(200, 599)(value),
    says: 'a status from 200 to 599',
  },
  reset: flag,
  hang: flag,
  truncate: flag,
  downMs: duration,
}
