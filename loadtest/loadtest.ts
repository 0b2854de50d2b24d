/** `npm run loadtest -- NAME`: loads a gateway as a scenario says, and writes a report of what both sides saw. */
import { cpus } from 'node:os'
import { UsageError } from './bench/args.ts'
import { cores } from './bench/child.ts'
import { type Args, help, readArgs } from './play/args.ts'
import { findK6, playWithK6 } from './play/k6.ts'
import { commitOf, keep, lastOf } from './play/keep.ts'
import { playOurselves } from './play/own.ts'
import { type Score, type Seen, lengthOf, perform, scoreOf } from './play/perform.ts'
import type { Result } from './play/result.ts'
import type { Scenario } from './play/scenario.ts'
import { scenarios } from './play/scenarios.ts'
import { type Stage, startStage } from './play/stage.ts'
import { measuredOf, pointsOf, stepsOf, totalsOf } from './play/tally.ts'
import { judge } from './play/thresholds.ts'
import { markdown } from './report/markdown.ts'
import { page } from './report/page.ts'
import { summary } from './report/summary.ts'

const howToGetK6 = 'There is no k6 on PATH: grafana.com/docs/k6 says how to install it.'

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130)) // children die with us

try {
  const args = readArgs(process.argv.slice(2))
  if (args === 'help') console.log(help)
  else process.exitCode = (await run(args)) ? 0 : 1
} catch (error) {
  console.error(`loadtest: ${(error as Error).message}`)
  process.exitCode = error instanceof UsageError ? 2 : 1
}

/** Runs a scenario from its start to its report; true when every threshold is met. */
async function run(args: Args): Promise<boolean> {
  const scenario: Scenario = scenarios[args.name]
  const withK6 = chooseK6(args.driver)
  await using stage = await startStage(scenario.gateway, args.loops)
  const score = await scoreOf(scenario, stage, args.length)
  console.log(`${args.name}: ${scenario.about}; ${lengthOf(score)} s`)
  const seen = await perform(score, stage, withK6 ? playWithK6 : playOurselves)
  const result = resultOf(args, score, seen, stage, withK6)
  const before = lastOf(result)
  const report = keep(result, page(result, before), markdown(result, before), args.save)
  console.log(`${summary(result)}\nReport: ${report}`)
  if (seen.fault !== undefined) console.log(seen.fault)
  return seen.fault === undefined && result.verdicts.every(({ met }) => met)
}

function chooseK6(driver: Args['driver']): boolean {
  const found = findK6() !== undefined
  if (driver === 'k6' && !found) throw new Error(howToGetK6)
  if (driver === undefined && !found) console.log(`${howToGetK6} Our own driver sends instead.`)
  return driver !== 'own' && found
}

function resultOf(args: Args, score: Score, { seconds, intervals }: Seen, stage: Stage, withK6: boolean): Result {
  const { scenario, phases, capacity } = score
  const length = lengthOf(score)
  const [first] = scenario.mix
  return {
    scenario: args.name,
    about: scenario.about,
    date: new Date().toISOString(),
    ...commitOf(),
    cpu: cpus()[0]?.model ?? 'unknown',
    setting: [
      stage.what,
      `driver ${withK6 ? 'k6' : 'our own'}`,
      args.loops > 1
        ? `${args.loops} loops, not pinned`
        : cores
          ? `one loop on core ${cores.measured}, the rest on core ${cores.others}`
          : 'one loop, not pinned',
      `Node ${process.versions.node}`,
    ].join('; '),
    asks: scenario.mix.length === 1 ? `${first!.method} ${first!.path}` : 'this mix of routes',
    capacity,
    loops: args.loops,
    totals: totalsOf(seconds, intervals, length),
    verdicts: judge(scenario.thresholds, measuredOf(seconds, intervals, length)),
    events: (scenario.events ?? []).map(({ second, upstream, faults }) => ({
      second,
      text: faults === null ? `${upstream} is well` : `${upstream} ${JSON.stringify(faults).replaceAll(/[{}"]/g, '')}`,
    })),
    points: pointsOf(seconds, intervals, length),
    steps: scenario.knee ? stepsOf(phases, seconds, intervals) : [],
  }
}
