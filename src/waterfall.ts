/** One row of a waterfall: when something ran, in ms since the beginning, or null when it never did. */
export interface Bar {
  readonly name: string
  readonly times: { readonly from: number; readonly to: number } | null
  readonly outcome: string
}

const green = '\u001b[32m'
const red = '\u001b[31m'
const dim = '\u001b[2m'
const plain = '\u001b[0m'

/** Draws bars over time as text, in so many columns; in colour where it is for a terminal. */
export function waterfall(bars: readonly Bar[], tookMs: number, columns: number, colour: boolean): string {
  const nameWidth = Math.max(5, ...bars.map(({ name }) => name.length))
  const tail = Math.max(...bars.map(({ outcome }) => outcome.length), 4) + 12
  const width = Math.max(20, Math.min(80, columns - nameWidth - tail))
  const paint = (text: string, style: string): string => (colour ? `${style}${text}${plain}` : text)
  const head = `${' '.repeat(nameWidth)} |0${`${tookMs.toFixed(1)} ms`.padStart(width - 1)}|`
  const rows = bars.map(({ name, times, outcome }) => {
    const label = name.padEnd(nameWidth)
    if (times === null) return paint(`${label} |${' '.repeat(width)}| ${'-'.padStart(8)}  ${outcome}`, dim)
    const from = Math.min(width - 1, Math.floor((times.from / tookMs) * width))
    const to = Math.max(from + 1, Math.min(width, Math.round((times.to / tookMs) * width)))
    const good = /^(?:ok|\d+)$/.test(outcome)
    const bar = paint('='.repeat(to - from), good ? green : outcome === 'skipped' ? dim : red)
    const took = `${(times.to - times.from).toFixed(1)} ms`
    return `${label} |${' '.repeat(from)}${bar}${' '.repeat(width - to)}| ${took.padStart(8)}  ${outcome}`
  })
  return [head, ...rows].join('\n')
}
