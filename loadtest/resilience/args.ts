import { parseArgs } from 'node:util'
import { UsageError } from '../bench/args.ts'

/** What can be shown, in the order in which it is. */
export const scenarioNames = ['halves', 'unavailable', 'neighbours', 'hedge', 'keepalive'] as const

/** The name of a promise that is put to the test. */
export type ScenarioName = (typeof scenarioNames)[number]

/** What `npm run resilience` was asked to do. */
export interface Args {
  readonly only: readonly ScenarioName[]
  readonly json: string | undefined
  readonly help: boolean
}

/** The command line's help. */
export const help = `npm run resilience -- [options]

Starts the gateway and small origins in processes of their own, sends requests at a fixed rate and
says of each promise of the resilience layers whether it is kept:

  halves       an origin's capacity halves and returns: the limit follows within 2 s, and 5 s
  unavailable  an origin that answers 503 to everything sees at most 1.2 times the calls, then the breaker
  neighbours   one slow upstream of five leaves the others' p99 within 10 %
  hedge        hedging at p95 cuts p99.9 by half or more for at most 5 % more calls
  keepalive    100 000 requests over connections that the origin closes at random: no error

  --only halves,hedge  what to show
  --json FILE          write the findings to FILE
  --help               this

Latencies count from the moment a request was due. All but unavailable and keepalive need a quiet machine
of two cores; where it is not, stderr says so. Exit code 1 if a promise is broken, 2 if the command
line is wrong.
`

/** Reads the command line; throws a UsageError for anything that it does not know. */
export function readArgs(argv: readonly string[]): Args {
  const { values, positionals } = parse(argv)
  if (positionals[0] !== undefined) {
    throw new UsageError(`"${positionals[0]}" is no word that resilience knows; see npm run resilience -- --help`)
  }
  return { only: values.only.split(',').map(scenarioName), json: values.json, help: values.help }
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        only: { type: 'string', default: scenarioNames.join(',') },
        json: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    throw new UsageError((error as Error).message.split('. ', 1)[0])
  }
}

function scenarioName(text: string): ScenarioName {
  const name = scenarioNames.find((known) => known === text)
  if (name === undefined) throw new UsageError(`--only takes ${scenarioNames.join(', ')}, not "${text}"`)
  return name
}
