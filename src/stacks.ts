import { isDeepStrictEqual } from 'node:util'
import type { Upstream } from './call/call.ts'
import type { Config } from './config/schema.ts'
import type { Ground } from './gateway.ts'
import { callAccounts } from './telemetry/accounts.ts'
import { Job } from './telemetry/ledger.ts'
import { callMeter } from './telemetry/meters.ts'
import { type Overrides, type Stack, type StackGround, stack } from './upstream/stack.ts'

type Options = Config['upstreams'][string]

/** A stack that one gateway after the other uses. */
interface Shared {
  readonly options: Options
  readonly stack: Stack
  users: number
}

/** The stacks of a config's upstreams. */
export class Stacks {
  readonly #shared: ReadonlyMap<string, Shared>

  /**
   * Makes the stack of each upstream. One that `before` has of the same options is used as well: what a config leaves as it
   * was keeps its connections, and all that was learned of it.
   */
  constructor({ upstreams }: Config, ground: Ground, before?: Stacks) {
    const made = Object.entries(upstreams).map(([name, options]): [string, Shared] => {
      const known = before === undefined ? undefined : before.#shared.get(name)
      const shared =
        known !== undefined && isDeepStrictEqual(known.options, options)
          ? known
          : { options, stack: stackOf(name, options, ground), users: 0 }
      shared.users++
      return [name, shared]
    })
    this.#shared = new Map(made)
  }

  /** Gives an upstream as a function of what a step overrides. */
  with(name: string, step: Overrides): Upstream | undefined {
    return this.#shared.get(name)?.stack.with(step)
  }

  /** Lets go of all: ends the connections to upstreams that no other gateway uses. */
  async release(): Promise<void> {
    const unused = [...this.#shared.values()].filter((shared) => --shared.users === 0)
    await Promise.all(unused.map((shared) => shared.stack.destroy()))
  }
}

function stackOf(name: string, options: Options, ground: Ground): Stack {
  const { store, wheel, instruments, log, ledger, utilisation } = ground
  const tell: StackGround['tell'] = (message, fields) =>
    log.write(`${message} ${name}`, message, { upstream: name, ...fields })
  const unasked = {
    work: new Job(ledger, false),
    step: '',
    upstream: name,
    accounts: callAccounts(instruments, null, name),
    sent: 0,
  }
  const meter = callMeter(instruments, name)
  return stack(options, { name, store, wheel, meter, ledger, unasked, utilisation, tell })
}
