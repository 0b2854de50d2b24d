/** A value of a structured field: what it is, and its text; a list within a list has no text. */
export interface Item {
  readonly type: 'integer' | 'decimal' | 'string' | 'token' | 'binary' | 'boolean' | 'date' | 'display' | 'list'
  readonly text: string
}

// Sticky patterns of RFC 9651 §3.3: tried at a place, in this order.
const kinds: readonly (readonly [Item['type'], RegExp])[] = [
  ['decimal', /-?\d{1,12}\.\d{1,3}(?![\d.])/y],
  ['integer', /-?\d{1,15}(?![\d.])/y],
  ['string', /"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"/y],
  ['token', /[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*/y],
  ['binary', /:[A-Za-z0-9+/=]*:/y],
  ['boolean', /\?([01])/y],
  ['date', /@-?\d{1,15}(?![\d.])/y],
  ['display', /%"(?:[\x20\x21\x23\x24\x26-\x7e]|%[0-9a-f]{2})*"/y],
]
const key = /[a-z*][a-z0-9_.*-]*/y
const optionalSpaces = /[ \t]*/y
const spaces = / */y

/** Reads a dictionary (RFC 9651 §4.2.2), its parameters left out; null when it is none. Of a key the last value counts. */
export function dictionaryOf(line: string): ReadonlyMap<string, Item> | null {
  const reader = new Reader(line.trim())
  const found = new Map<string, Item>()
  while (!reader.ended) {
    const name = reader.take(key)
    if (name === null) return null
    const item = reader.takes('=') ? reader.member() : yes
    if (item === null || !reader.parameters()) return null
    found.delete(name)
    found.set(name, item)
    reader.take(optionalSpaces)
    if (reader.ended) return found
    if (!reader.takes(',')) return null
    reader.take(optionalSpaces)
    // A comma at the end has nothing behind it.
    if (reader.ended) return null
  }
  return found
}

const yes: Item = { type: 'boolean', text: '1' }

class Reader {
  readonly #line: string
  #at = 0

  constructor(line: string) {
    this.#line = line
  }

  get ended(): boolean {
    return this.#at === this.#line.length
  }

  take(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at
    const match = pattern.exec(this.#line)
    if (match === null) return null
    this.#at += match[0].length
    return match[1] ?? match[0]
  }

  takes(char: string): boolean {
    if (this.#line[this.#at] !== char) return false
    this.#at++
    return true
  }

  member(): Item | null {
    return this.takes('(') ? this.#list() : this.#item()
  }

  parameters(): boolean {
    while (this.takes(';')) {
      this.take(spaces)
      if (this.take(key) === null) return false
      if (this.takes('=') && this.#item() === null) return false
    }
    return true
  }

  #list(): Item | null {
    for (;;) {
      this.take(spaces)
      if (this.takes(')')) return { type: 'list', text: '' }
      if (this.#item() === null || !this.parameters()) return null
      if (this.#line[this.#at] !== ' ' && this.#line[this.#at] !== ')') return null
    }
  }

  #item(): Item | null {
    for (const [type, pattern] of kinds) {
      const text = this.take(pattern)
      if (text !== null) return { type, text: type === 'string' ? text.replace(/\\(.)/g, '$1') : text }
    }
    return null
  }
}
