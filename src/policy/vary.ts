import { elementsOf } from './fields.ts'

/** Lists the request fields that a reply varies by, in lower case and in one order. */
export function variesBy(line: string | undefined): string[] {
  if (line === undefined) return []
  const names = line.split(',').map((name) => name.trim().toLowerCase())
  return [...new Set(names.filter((name) => name !== ''))].sort()
}

// Lists of which every element has a weight of its own, so that their order says nothing.
const weighted: ReadonlySet<string> = new Set(['accept', 'accept-charset', 'accept-encoding', 'accept-language'])

/**
 * Brings a request field into the form by which requests are compared (RFC 9111 §4.1): lines joined, space around
 * commas and at the ends taken away, and lists whose order means nothing in one order. '' stands for an absent field.
 */
function normalised(name: string, line: string | undefined): string {
  if (line === undefined) return ''
  const elements = elementsOf(line)
  if (!weighted.has(name)) return elements.join(',')
  return elements
    .map((one) => one.toLowerCase().replace(/\s*;\s*/g, ';'))
    .sort()
    .join(',')
}

/** Gives what a request has in fields that a reply varies by. `valueOf` tells a field of the request. */
export function selectedBy(
  names: readonly string[],
  valueOf: (name: string) => string | undefined,
): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, normalised(name, valueOf(name))]))
}
