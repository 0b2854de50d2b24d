import { parseArgs } from 'node:util'
import { UsageError } from '../bench/args.ts'

/** What `npm run soak` was asked to do. */
export interface Args {
  readonly minutes: number
  readonly seed: number
  readonly help: boolean
}

/** The command line's help. */
export const help = `npm run soak -- [options]

Runs the gateway for a while between clients of which some leave and origins that do whatever an origin
can do wrong, and checks in the end that nothing was lost and nothing is left.

  --minutes 5  how long; below 1 nothing is said of memory, for the heap still grows warm
  --seed N     what to draw random numbers from; else one is drawn, and printed
  --help       this

Exit code 1 if anything is amiss, 2 if the command line is wrong.
`

/** Reads the command line; throws a UsageError for anything that it does not know. */
export function readArgs(argv: readonly string[], draw: () => number = Math.random): Args {
  const { values, positionals } = parse(argv)
  if (positionals[0] !== undefined) {
    throw new UsageError(`"${positionals[0]}" is no word that soak knows; see npm run soak -- --help`)
  }
  const minutes = Number(values.minutes)
  if (!(minutes > 0 && minutes < Infinity)) {
    throw new UsageError(`--minutes takes a number above 0, not "${values.minutes}"`)
  }
  const seed = values.seed ?? String(Math.floor(draw() * 2 ** 32))
  if (!/^\d+$/.test(seed)) throw new UsageError(`--seed takes a whole number, not "${seed}"`)
  return { minutes, seed: Number(seed), help: values.help }
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        minutes: { type: 'string', default: '5' },
        seed: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    throw new UsageError((error as Error).message.split('. ', 1)[0])
  }
}
