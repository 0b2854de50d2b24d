/** Header fields by name in lower case; one that came several times as a list. */
export type Fields = Readonly<Record<string, string | readonly string[] | undefined>>

/** Gives a field as one line, its lines joined; undefined when it is absent. */
export function lineOf(fields: Fields, name: string): string | undefined {
  const value = fields[name]
  return value === undefined || typeof value === 'string' ? value : value.join(', ')
}

/** Takes a list apart at its commas, but for those in quoted strings; empty elements are none (RFC 9110 §5.6.1). */
export function elementsOf(line: string): string[] {
  const found: string[] = []
  let from = 0
  let quoted = false
  for (let i = 0; i <= line.length; i++) {
    const char = line[i]
    if (char === '"') quoted = !quoted
    else if (quoted && char === '\\') i++
    else if (i >= line.length || (char === ',' && !quoted)) {
      const element = line.slice(from, i).trim()
      if (element !== '') found.push(element)
      from = i + 1
    }
  }
  // A quoted string that nobody ends takes the rest with it.
  const rest = from <= line.length ? line.slice(from).trim() : ''
  return rest === '' ? found : [...found, rest]
}
