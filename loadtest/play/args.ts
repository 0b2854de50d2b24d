import { parseArgs } from 'node:util'
import { UsageError } from '../bench/args.ts'
import { type ScenarioName, scenarios } from './scenarios.ts'

/** What `npm run loadtest` was asked to do. */
export interface Args {
  readonly name: ScenarioName
  readonly loops: number
  /** Stretches or shortens all times of the scenario. */
  readonly length: number
  readonly driver: 'k6' | 'own' | undefined
  readonly save: boolean
}

const names = Object.keys(scenarios) as ScenarioName[]

/** The command line's help. */
export const help = `npm run loadtest -- NAME [options]

Starts a gateway and what it calls, apart from each other where there are cores, sends requests
at a given rate whatever becomes of them, watches both sides, and writes a report. Exits 1 when a
threshold is not met.

${names.map((name) => `  ${name.padEnd(15)} ${scenarios[name].about}`).join('\n')}

  --driver k6|own  who sends: k6 where it is on PATH, else a driver of our own
  --loops 1        data loops of the gateway
  --length 1       stretches all times: 0.5 is half as long
  --save           keep summary and figures in loadtest/results/, to be committed
  --help           this
`

/** Reads the command line, help when that is asked for; throws a UsageError for anything that it does not know. */
export function readArgs(argv: readonly string[]): Args | 'help' {
  const { values, positionals } = parse(argv)
  if (values.help) return 'help'
  const [word, other] = positionals
  if (word === undefined) throw new UsageError(`which one? ${names.join(', ')}`)
  const name = names.find((known) => known === word)
  const unknown = name === undefined ? word : other
  if (name === undefined || unknown !== undefined) {
    throw new UsageError(`"${unknown}" is no load run; there are ${names.join(', ')}`)
  }
  const loops = Number(values.loops)
  if (!(Number.isInteger(loops) && loops > 0)) throw new UsageError(`--loops takes a number, not "${values.loops}"`)
  const length = Number(values.length)
  if (!(length > 0 && length < Infinity)) {
    throw new UsageError(`--length takes a number above 0, not "${values.length}"`)
  }
  return { name, loops, length, driver: driver(values.driver), save: values.save }
}

function driver(text: string | undefined): Args['driver'] {
  if (text === undefined || text === 'k6' || text === 'own') return text
  throw new UsageError(`--driver takes k6 or own, not "${text}"`)
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        loops: { type: 'string', default: '1' },
        length: { type: 'string', default: '1' },
        driver: { type: 'string' },
        save: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    throw new UsageError((error as Error).message.split('. ', 1)[0])
  }
}
