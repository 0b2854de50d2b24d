/** Remembers when something last was so of each of the last `most` keys. */
export class Recent {
  readonly #most: number
  readonly #at = new Map<string, number>()

  constructor(most: number) {
    this.#most = most
  }

  note(key: string, at: number): void {
    this.#at.delete(key)
    this.#at.set(key, at)
    if (this.#at.size <= this.#most) return
    const [oldest] = this.#at.keys()
    this.#at.delete(oldest as string)
  }

  forget(key: string): void {
    this.#at.delete(key)
  }

  /** Whether it was so of the key at that time or later. */
  since(key: string, at: number): boolean {
    return (this.#at.get(key) ?? -Infinity) >= at
  }
}
