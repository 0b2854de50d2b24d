/** `npm run bench`: measures the gateway beside the floor, naive code and its peers (shared method: measure.md). */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { help, readArgs, UsageError, type Args } from './bench/args.ts'
import { cores } from './bench/child.ts'
import { findLoad } from './bench/load.ts'
import { measure, type Series } from './bench/measure.ts'
import { startOrigin } from './bench/origin.ts'
import { lacking } from './bench/peers.ts'
import { costs, doubts, judge, table } from './bench/report.ts'
import { versus } from './bench/versus.ts'

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130)) // children die with us

try {
  const args = readArgs(process.argv.slice(2))
  if (args.help) console.log(help)
  else process.exitCode = (await bench(args)) ? 0 : 1
} catch (error) {
  console.error(`bench: ${(error as Error).message}`)
  process.exitCode = error instanceof UsageError ? 2 : 1
}

/** Measures all that was asked for and prints it; true when every run counts and the goal is met. */
async function bench(args: Args): Promise<boolean> {
  const origin = await startOrigin()
  const load = findLoad()
  const setting = [
    `origin ${origin.what}`,
    `load ${load.what}, ${args.connections} connections`,
    cores
      ? `measured on core ${cores.measured}, the rest on core ${cores.others}`
      : 'not pinned (needs taskset and two cores)',
    `Node ${process.versions.node}`,
  ].join('; ')
  console.log(`${setting}\n`)
  const able = args.only.filter((name) => {
    const why = lacking(name)
    if (why !== undefined) console.log(`${name} is left out: ${why}.`)
    return why === undefined
  })
  const all: Series[] = []
  try {
    for (const fanout of args.fanouts) {
      const series = await measure({ ...args, only: able }, fanout, origin.url, load, progress)
      progress('')
      if (series.length > 0)
        console.log([args.peers ? versus(series) : table(series), ...doubts(series), ...costs(series), ''].join('\n'))
      all.push(...series)
    }
  } finally {
    progress('')
    await origin.stop()
  }
  if (args.check) console.log(`${able.join(', ')} give the same answers.`)
  return args.check || conclude(args, all, setting)
}

function conclude(args: Args, all: readonly Series[], setting: string): boolean {
  const faults = all.flatMap(({ name, fanout, faults }) =>
    faults.map((fault) => `${name} at fan-out ${fanout}: ${fault}`),
  )
  for (const fault of faults) console.log(`A run does not count: ${fault}`)
  const { met, says } = judge(all, args.goal)
  console.log(says)
  const commit = git('rev-parse', '--short', 'HEAD') ?? 'uncommitted'
  const date = new Date().toISOString()
  const result = {
    date,
    commit,
    changed: git('status', '--porcelain') !== '',
    cpu: cpus()[0]?.model,
    setting,
    args,
    says,
    series: all,
  }
  if (args.json !== undefined) keep(args.json, result)
  if (args.save) keep(join(import.meta.dirname, 'results', `${date.slice(0, 10)}-${commit}.json`), result)
  return met && faults.length === 0
}

function keep(file: string, result: object): void {
  mkdirSync(join(file, '..'), { recursive: true })
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`)
  console.log(`Kept in ${file}.`)
}

function git(...args: string[]): string | undefined {
  try {
    return execFileSync('git', args, {
      encoding: 'utf8',
      cwd: import.meta.dirname,
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return undefined // not a checkout, or one without commits
  }
}

/** Shows on stderr what is being done: one line that changes on a terminal, else a line each. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
  else if (text !== '') process.stderr.write(`${text}\n`)
}
