import type { Worker } from 'node:worker_threads'
import type { FromLoop, ToLoop } from './loop.ts'

/** What a data loop can be asked, and how it answers; the two have the same id. */
type Question = Extract<ToLoop, { id: number }>
type Answer = Extract<FromLoop, { id: number }>

let asked = 0

/** Asks a data loop and gives its answer; null when there is no such loop, or none that answers within `ms`. */
export function ask<Type extends Question['type']>(
  worker: Worker | null,
  question: Omit<Extract<Question, { type: Type }>, 'id'>,
  ms: number,
): Promise<Answer | null> {
  if (worker === null) return Promise.resolve(null)
  const id = ++asked
  return new Promise((resolve) => {
    const settle = (answer: Answer | null): void => {
      clearTimeout(timer)
      worker.off('message', onMessage).off('exit', onExit)
      resolve(answer)
    }
    const onMessage = (message: FromLoop): void => {
      if ('id' in message && message.id === id) settle(message)
    }
    const onExit = (): void => settle(null)
    const timer = setTimeout(() => settle(null), ms)
    worker.on('message', onMessage).on('exit', onExit)
    worker.postMessage({ ...question, id })
  })
}
