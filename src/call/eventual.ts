type Waiter<T> = (value: T) => void

/**
 * A value that is still to come: awaited like a promise, but with `then` told at once, within `resolve`. A call passes
 * through many layers that each have a word to say at its end; as promises each of them would cost a turn of its own.
 *
 * It cannot be rejected. What a waiter throws is a bug, and ends the loop as an unhandled rejection would; it does not
 * reach whoever resolves, who has nothing to do with it.
 */
export class Eventual<T> implements PromiseLike<T> {
  #settled = false
  #value: T | undefined
  #first: Waiter<T> | null = null
  /** Nearly all have but one who waits. */
  #others: Waiter<T>[] | null = null

  /** Tells the value to all who wait, and to all who will; a second value is ignored. */
  resolve(value: T): void {
    if (this.#settled) return
    this.#settled = true
    this.#value = value
    const first = this.#first
    const others = this.#others
    this.#first = this.#others = null
    if (first !== null) first(value)
    if (others !== null) for (const waiter of others) waiter(value)
  }

  // oxlint-disable-next-line unicorn/no-thenable -- to be awaited is what it is for
  then<R = T, N = never>(
    use?: ((value: T) => R | PromiseLike<R>) | null,
    _rejected?: ((reason: unknown) => N | PromiseLike<N>) | null,
  ): Eventual<R | N> {
    const next = new Eventual<R | N>()
    this.#wait((value) => {
      try {
        const made = use === undefined || use === null ? (value as unknown as R) : use(value)
        if (isPromise(made)) void made.then((later) => next.resolve(later))
        else next.resolve(made)
      } catch (error) {
        queueMicrotask(() => {
          throw error
        })
      }
    })
    return next
  }

  #wait(waiter: Waiter<T>): void {
    if (this.#settled) waiter(this.#value as T)
    else if (this.#first === null) this.#first = waiter
    else (this.#others ??= []).push(waiter)
  }
}

function isPromise<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as Partial<PromiseLike<T>> | null | undefined)?.then === 'function'
}
