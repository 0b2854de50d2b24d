/** Gathers the JSON of a response: text and, where replies are spliced, bytes. */
export class Out {
  readonly #pieces: (string | Uint8Array)[] = []
  #text = ''

  /** Adds JSON text. */
  text(text: string): void {
    this.#text += text
  }

  /** Adds JSON that may be bytes as they came from an upstream. */
  piece(piece: string | Uint8Array): void {
    if (typeof piece === 'string') {
      this.#text += piece
      return
    }
    if (this.#text !== '') this.#pieces.push(this.#text)
    this.#text = ''
    this.#pieces.push(piece)
  }

  /** The whole: text when there was nothing but text, else bytes. */
  whole(): string | Uint8Array {
    if (this.#pieces.length === 0) return this.#text
    if (this.#text !== '') this.#pieces.push(this.#text)
    const pieces = this.#pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece))
    return Buffer.concat(pieces)
  }
}

/** Writes a value as JSON, Maps as objects in their order; undefined is null. */
export function jsonOf(value: unknown): string {
  if (value instanceof Map) {
    const entries = [...(value as Map<string, unknown>)]
    return `{${entries.map(([key, one]) => `${JSON.stringify(key)}:${jsonOf(one)}`).join(',')}}`
  }
  if (Array.isArray(value)) return `[${value.map(jsonOf).join(',')}]`
  return JSON.stringify(value) ?? 'null'
}
