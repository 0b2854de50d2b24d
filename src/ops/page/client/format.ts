/** Writes a duration with as many digits as say something: `0.42 ms`, `18 ms`, `1.3 s`. */
export function ms(value: number | null): string {
  if (value === null || Number.isNaN(value)) return '–'
  if (value >= 10_000) return `${(value / 1_000).toFixed(0)} s`
  if (value >= 1_000) return `${(value / 1_000).toFixed(1)} s`
  if (value >= 100) return `${value.toFixed(0)} ms`
  return `${value.toFixed(value >= 10 ? 1 : 2)} ms`
}

/** Writes a share of 1 in percent. */
export function percent(share: number): string {
  const value = share * 100
  return `${value.toFixed(value !== 0 && value < 9.95 ? 1 : 0)} %`
}

/** Writes a rate or a count: `0.4`, `12`, `3.4 k`. */
export function count(value: number): string {
  if (value === 0) return '0'
  if (value >= 10_000) return `${(value / 1_000).toFixed(0)} k`
  if (value >= 1_000) return `${(value / 1_000).toFixed(1)} k`
  return value.toFixed(value >= 10 || Number.isInteger(value) ? 0 : 1)
}

/** Writes a size in MiB. */
export function mebi(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(0)} MiB`
}

/** Writes how long ago or for how long: `3 s`, `12 min`, `4 h`, `2 d`. */
export function span(seconds: number): string {
  const steps: [number, string][] = [
    [86_400, 'd'],
    [3_600, 'h'],
    [60, 'min'],
  ]
  const [size, unit] = steps.find(([least]) => seconds >= least * 2) ?? [1, 's']
  return `${Math.floor(seconds / size)} ${unit}`
}

/** Writes the time of day. */
export function clock(at: number): string {
  return new Date(at).toLocaleTimeString([], { hour12: false })
}
