/** `node loadtest/simulate.ts`: shows that the learned limit follows an upstream, in simulated time. */
import { parseArgs } from 'node:util'
import { scenarios, simulate } from './simulate/scenarios.ts'

const help = `node loadtest/simulate.ts [options]

Plays calls through the limit layer over a simulated upstream, and says how the learned limit follows it.
Time is simulated and random numbers are seeded: the same seed gives the same table.

  --seed 1  what to draw random numbers from
  --help    this

Exit code 1 if a goal is missed, 2 if the command line is wrong.
`

process.exitCode = await run(process.argv.slice(2))

async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArgs({
      args: argv,
      options: { seed: { type: 'string', default: '1' }, help: { type: 'boolean', default: false } },
    })
    if (values.help) {
      console.log(help)
      return 0
    }
    if (!/^\d+$/.test(values.seed)) throw new Error(`--seed takes a whole number, not "${values.seed}"`)
    return (await show(Number(values.seed))) ? 0 : 1
  } catch (error) {
    console.error(`simulate: ${(error as Error).message.split('. ', 1)[0]}`)
    return 2
  }
}

/** Prints what was found; true when every goal is met. */
async function show(seed: number): Promise<boolean> {
  let met = true
  for (const scenario of scenarios) {
    console.log(`${scenario.name} (seed ${seed})`)
    for (const finding of await simulate(scenario, seed)) {
      console.log(`  ${finding.met ? 'met   ' : 'MISSED'}  ${finding.found.padStart(12)}  ${finding.goal}`)
      met &&= finding.met
    }
  }
  return met
}
