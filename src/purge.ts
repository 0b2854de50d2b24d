/** What a purge is asked for on the command line. */
export interface Asked {
  readonly key?: string | undefined
  readonly tag?: string | undefined
  readonly prefix?: string | undefined
  /** The URL of the ops port. */
  readonly ops: string
  readonly token: string
}

/** What of it says what to drop. */
export const kinds = ['key', 'tag', 'prefix'] as const

// A little more than the gateway gives itself.
const withinMs = 40_000

/** Has a running gateway drop kept replies, and tells how many. Gives the exit status. */
export async function purge({ ops, token, ...asked }: Asked): Promise<number> {
  const what = Object.fromEntries(kinds.flatMap((kind) => (asked[kind] === undefined ? [] : [[kind, asked[kind]]])))
  try {
    const response = await fetch(new URL('/api/purge', ops), {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(token !== '' && { authorization: `Bearer ${token}` }) },
      body: JSON.stringify(what),
      signal: AbortSignal.timeout(withinMs),
    })
    const answer = (await response.json()) as { purged?: number; detail?: string }
    const count =
      answer.purged === undefined ? '' : `${answer.purged} ${answer.purged === 1 ? 'entry' : 'entries'} purged`
    if (response.ok) process.stdout.write(`${count}\n`)
    else process.stderr.write(`oneloop: ${count === '' ? '' : `${count}, but `}${response.status}: ${answer.detail}\n`)
    return response.ok ? 0 : 1
  } catch (error) {
    process.stderr.write(`oneloop: ${ops} does not answer as the ops port of a gateway does: ${whyOf(error)}\n`)
    return 1
  }
}

function whyOf(error: unknown): string {
  const { cause, message } = error as Error
  return cause instanceof Error ? cause.message : message
}
