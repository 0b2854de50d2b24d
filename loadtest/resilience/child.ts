import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { type Core, start } from '../bench/child.ts'

/** A process of ours that answers each message with one; it ends with `await using`. */
export interface Child<Message, Answer> extends AsyncDisposable {
  ask(message: Message): Promise<Answer>
}

/** Starts a script that speaks with us; it ends when we do. Settles with its first message, which says it is ready. */
export async function startChild<Message extends object | string, Answer>(
  core: Core,
  file: string,
  ...args: readonly string[]
): Promise<{ child: Child<Message, Answer>; first: unknown }> {
  const child = start(core, [process.execPath, file, ...args], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    serialization: 'advanced', // latencies by the ten thousand
  })
  const answer = async (): Promise<unknown> => {
    const ended = new AbortController()
    const gone = once(child, 'exit', ended).then(() => Promise.reject(new Error(`${file} has ended`)))
    const told = once(child, 'message', ended).then(([message]) => message as unknown)
    return Promise.race([told, gone]).finally(() => ended.abort())
  }
  const first = await answer()
  let turn: Promise<unknown> = Promise.resolve()
  const ask = (message: Message): Promise<Answer> => {
    // One after the other: an answer does not say which message it is for.
    const answered = turn.then(() => {
      child.send(message)
      return answer()
    })
    turn = answered.catch(() => {})
    return answered as Promise<Answer>
  }
  return { child: { ask, [Symbol.asyncDispose]: () => kill(child) }, first }
}

/** Ends a process at once. */
export async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}
