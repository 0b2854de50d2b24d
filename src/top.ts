import { draw, watch } from './ops/top.ts'

// A terminal of its own, left as it was found.
const enter = '\x1b[?1049h\x1b[?25l'
const leave = '\x1b[?25h\x1b[?1049l'
const home = '\x1b[H'
const restOfLine = '\x1b[K'
const restOfScreen = '\x1b[J'

/** Shows a running gateway in the terminal until it is told to end; where there is no terminal, once. Gives the exit status. */
export async function top(ops: string): Promise<number> {
  const { stdout } = process
  const stopping = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort())
  const onScreen = stdout.isTTY === true
  try {
    let shown = false
    for await (const now of watch(ops, stopping.signal)) {
      const text = draw(now, { columns: stdout.columns ?? Infinity, colours: onScreen && process.stdout.hasColors() })
      if (!onScreen) {
        stdout.write(`${text}\n`)
        return 0
      }
      const rows = text.split('\n').slice(0, (stdout.rows ?? 25) - 1)
      stdout.write(`${shown ? '' : enter}${home}${rows.map((row) => row + restOfLine).join('\n')}${restOfScreen}`)
      shown = true
    }
    if (onScreen) stdout.write(leave)
    process.stderr.write(`oneloop: ${ops} has ended\n`)
    return 1
  } catch (error) {
    if (onScreen) stdout.write(leave)
    if (stopping.signal.aborted) return 0
    const { cause, message } = error as Error
    process.stderr.write(
      `oneloop: ${ops} does not answer as the ops port of a gateway does: ${cause instanceof Error ? cause.message : message}\n`,
    )
    return 1
  }
}
