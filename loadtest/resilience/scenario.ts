/** What was found of one promise. */
export interface Finding {
  /** What was seen, in words and figures. */
  readonly found: string
  readonly goal: string
  readonly met: boolean
}

/** Puts one promise to the test; says meanwhile what it is doing. */
export type Scenario = (say: (text: string) => void) => Promise<readonly Finding[]>

/** A figure that must not be greater than the goal. */
export function atMost(what: string, found: number, goal: number, unit = ''): Finding {
  return { found: `${what} ${figure(found)}${unit}`, goal: `≤ ${goal}${unit}`, met: found <= goal }
}

/** The line of a promise. */
export function lineOf(name: string, findings: readonly Finding[]): string {
  const met = findings.every((finding) => finding.met)
  const all = findings.map(({ found, goal, met }) => `${found} (${met ? 'goal' : 'misses'} ${goal})`)
  return `${met ? 'PASS' : 'FAIL'}  ${name.padEnd(11)}  ${all.join('; ')}`
}

function figure(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toPrecision(3)
}
