import type { Attributes, Reading } from '../telemetry/instruments.ts'

/** The forms in which Prometheus takes numbers, each with its content type. */
export const forms = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
} as const
export type Form = keyof typeof forms

/** Chooses the form that an `Accept` field likes best; text, if it likes both the same or says nothing. */
export function formOf(accept: string | undefined): Form {
  const likes = (accept ?? '*/*').split(',').map((range) => {
    const [type = '', ...params] = range.split(';').map((part) => part.trim().toLowerCase())
    const q = params.find((param) => param.startsWith('q='))
    return { type, q: q === undefined ? 1 : Number(q.slice(2)) }
  })
  const best = (...types: string[]): number =>
    Math.max(0, ...likes.filter(({ type }) => types.includes(type)).map(({ q }) => q))
  return best('application/openmetrics-text') > best('text/plain', 'text/*', '*/*') ? 'openmetrics' : 'text'
}

/** Writes numbers out as Prometheus reads them, all of one name together. */
export function exposition(readings: Iterable<Reading>, form: Form): string {
  const families = Map.groupBy(readings, ({ name }) => name)
  const texts = [...families.values()].map((family) => familyText(family, form))
  return texts.join('') + (form === 'openmetrics' ? '# EOF\n' : '')
}

/** Gives the name by which Prometheus knows a number: with its unit, and of a counter without `_total`. */
export function familyOf({ name, unit, kind }: Pick<Reading, 'name' | 'unit' | 'kind'>): string {
  const plain = name.replaceAll(/[^a-zA-Z0-9_:]/g, '_')
  const suffix = suffixOf(unit, kind)
  return suffix === '' || plain.endsWith(suffix) ? plain : plain + suffix
}

// What is written in braces says what is counted and is no unit.
const suffixes: Readonly<Record<string, string>> = { s: '_seconds', By: '_bytes' }

function suffixOf(unit: string, kind: Reading['kind']): string {
  return suffixes[unit] ?? (unit === '1' && kind === 'gauge' ? '_ratio' : '')
}

function familyText(family: readonly Reading[], form: Form): string {
  const [first] = family as [Reading]
  const { kind, unit, description } = first
  const name = familyOf(first)
  const sample = kind === 'counter' ? `${name}_total` : name
  // In OpenMetrics a counter's family has no `_total`, in the older text it has.
  const head = form === 'openmetrics' ? name : sample
  const suffix = suffixOf(unit, kind)
  const unitLine = form === 'openmetrics' && suffix !== '' ? `# UNIT ${head} ${suffix.slice(1)}\n` : ''
  const help = `# HELP ${head} ${escaped(description, form === 'openmetrics')}\n`
  const samples = family.map((one) =>
    kind === 'histogram' ? histogramText(name, one, form) : `${sample}${labels(one.attributes)} ${number(one.value)}\n`,
  )
  return `${help}# TYPE ${head} ${kind}\n${unitLine}${samples.join('')}`
}

function histogramText(name: string, { attributes, value, bounds = [], buckets = [] }: Reading, form: Form): string {
  let count = 0
  const lines = buckets.map((inBucket, i) => {
    count += inBucket
    return `${name}_bucket${labels({ ...attributes, le: edge(bounds[i] ?? Infinity, form) })} ${count}\n`
  })
  const own = labels(attributes)
  return `${lines.join('')}${name}_sum${own} ${number(value)}\n${name}_count${own} ${count}\n`
}

function labels(attributes: Attributes): string {
  const parts = Object.entries(attributes).map(
    ([name, value]) => `${name.replaceAll(/[^a-zA-Z0-9_]/g, '_')}="${escaped(value, true)}"`,
  )
  return parts.length === 0 ? '' : `{${parts.join(',')}}`
}

function escaped(text: string, quotes: boolean): string {
  const lines = text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
  return quotes ? lines.replaceAll('"', '\\"') : lines
}

/** An edge as OpenMetrics has it is a float also when it is whole. */
function edge(bound: number, form: Form): string {
  return form === 'openmetrics' && Number.isInteger(bound) ? `${bound}.0` : number(bound)
}

function number(value: number): string {
  if (value === Infinity) return '+Inf'
  return value === -Infinity ? '-Inf' : String(value)
}
