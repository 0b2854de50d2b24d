/** `npm run resilience`: shows over real sockets that the resilience layers keep their promises (issue 3). */
import { writeFileSync } from 'node:fs'
import { UsageError } from './bench/args.ts'
import { type Args, type ScenarioName, help, readArgs } from './resilience/args.ts'
import { halves } from './resilience/halves.ts'
import { hedge } from './resilience/hedge.ts'
import { keepalive } from './resilience/keepalive.ts'
import { neighbours } from './resilience/neighbours.ts'
import { type Finding, type Scenario, lineOf } from './resilience/scenario.ts'
import { unavailable } from './resilience/unavailable.ts'

const scenarios: Readonly<Record<ScenarioName, Scenario>> = { halves, unavailable, neighbours, hedge, keepalive }

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130)) // children die with us

try {
  const args = readArgs(process.argv.slice(2))
  if (args.help) console.log(help)
  else process.exitCode = (await show(args)) ? 0 : 1
} catch (error) {
  console.error(`resilience: ${(error as Error).message}`)
  process.exitCode = error instanceof UsageError ? 2 : 1
}

/** Plays what was asked for, and prints a line each; true when every promise is kept. */
async function show(args: Args): Promise<boolean> {
  const all: Record<string, readonly Finding[]> = {}
  for (const name of args.only) {
    const findings = await scenarios[name]((text) => console.error(text))
    console.log(lineOf(name, findings))
    all[name] = findings
  }
  if (args.json !== undefined) {
    const result = { date: new Date().toISOString(), node: process.versions.node, findings: all }
    writeFileSync(args.json, `${JSON.stringify(result, null, 2)}\n`)
  }
  return Object.values(all).every((findings) => findings.every(({ met }) => met))
}
