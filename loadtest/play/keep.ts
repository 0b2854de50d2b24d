import { execFileSync } from 'node:child_process'
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Result } from './result.ts'

const root = join(import.meta.dirname, '../..')
const runs = join(root, 'loadtest/runs')
const results = join(root, 'loadtest/results')

/** Which commit is measured, and whether more than that was. */
export function commitOf(): Pick<Result, 'commit' | 'changed'> {
  const commit = git('rev-parse', '--short', 'HEAD') ?? 'uncommitted'
  return { commit, changed: git('status', '--porcelain') !== '' }
}

function git(...args: string[]): string | undefined {
  try {
    return execFileSync('git', args, { encoding: 'utf8', cwd: root, stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return undefined // not a checkout, or one without commits
  }
}

/** The newest run of the same scenario with as many loops, of this machine or committed; undefined when there is none. */
export function lastOf({ scenario, loops }: Pick<Result, 'scenario' | 'loops'>): Result | undefined {
  const files = [runs, results].flatMap((folder) =>
    globSync(`*-${nameOf({ scenario, loops })}.json`, { cwd: folder }).map((file) => join(folder, file)),
  )
  const [last] = files.sort((one, other) => basename(other).localeCompare(basename(one)))
  return last === undefined ? undefined : (JSON.parse(readFileSync(last, 'utf8')) as Result)
}

/** Keeps a run under its time, commit and name; the report only here, the rest also to be committed if that is asked for. */
export function keep(result: Result, html: string, markdown: string, save: boolean): string {
  const time = result.date.slice(0, 19).replaceAll(':', '').replace('T', '-')
  const name = `${time}-${result.commit}-${nameOf(result)}`
  const json = `${JSON.stringify(result)}\n`
  for (const folder of save ? [runs, results] : [runs]) {
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, `${name}.json`), json)
    writeFileSync(join(folder, `${name}.md`), markdown)
  }
  const report = join(runs, `${name}.html`)
  writeFileSync(report, html)
  return report
}

function nameOf({ scenario, loops }: Pick<Result, 'scenario' | 'loops'>): string {
  return loops === 1 ? scenario : `${scenario}-loops${loops}`
}
