import type { Scope } from '../call/scope.ts'
import type { Alarm, Wheel } from '../call/wheel.ts'

/** Those who wait for something to happen to a key. */
export class Waiting {
  readonly #wheel: Wheel
  readonly #tellers = new Map<string, Set<() => void>>()

  constructor(wheel: Wheel) {
    this.#wheel = wheel
  }

  /**
   * Waits until the key is told of, or for as long as `longest` says once it knows, in ms: true. False when the scope ends
   * before.
   */
  for(key: string, scope: Scope, longest: () => Promise<number>): Promise<boolean> {
    return new Promise((resolve) => {
      let alarm: Alarm | null = null
      let over = false
      const end = (told: boolean): void => {
        over = true
        if (alarm !== null) this.#wheel.clear(alarm)
        scope.unwatch(ended)
        this.#remove(key, tell)
        resolve(told)
      }
      const ended = (): void => end(false)
      const tell = (): void => end(true)
      this.#tellers.set(key, (this.#tellers.get(key) ?? new Set()).add(tell))
      scope.watch(ended)
      if (over) return
      void longest().then((ms) => {
        if (over) return
        if (ms <= 0) tell()
        else alarm = this.#wheel.set(this.#wheel.now() + ms, tell)
      })
    })
  }

  /** Tells those who wait for a key. */
  tell(key: string): void {
    for (const tell of this.#tellers.get(key) ?? []) tell()
  }

  /** Tells all. */
  tellAll(): void {
    for (const key of this.#tellers.keys()) this.tell(key)
  }

  #remove(key: string, tell: () => void): void {
    const alike = this.#tellers.get(key)
    alike?.delete(tell)
    if (alike?.size === 0) this.#tellers.delete(key)
  }
}
