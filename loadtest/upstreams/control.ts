import { fail, type Answer } from './answer.ts'
import { readFaults, type Faults } from './faults.ts'

/** The faults of a running service, which `/__faults` shows and changes. */
export interface Control {
  readonly faults: Faults
  /** Adds to the faults; throws a TypeError that says what is wrong with them. */
  add(value: unknown): void
  /** Answers a request to `/__faults`: GET shows, POST adds, DELETE clears. */
  answer(method: string | undefined, body: unknown): Answer
}

/** Keeps a service's faults; `takeDown` closes its port for a while. */
export function controlOf(takeDown: (ms: number) => void): Control {
  let faults: Faults = {}
  const add = (value: unknown) => {
    const { downMs, ...lasting } = readFaults(value)
    faults = { ...faults, ...lasting }
    if (downMs !== undefined) setTimeout(takeDown, 20, downMs) // the answer to this request goes out first
  }
  return {
    get faults() {
      return faults
    },
    add,
    answer(method, body) {
      try {
        if (method === 'POST') add(body)
        if (method === 'DELETE') faults = {}
      } catch (error) {
        return fail(400, (error as Error).message)
      }
      return { status: 200, headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(faults)) }
    },
  }
}
