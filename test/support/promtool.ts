import { spawnSync } from 'node:child_process'

/** Runs the real promtool, and gives what it says of what it was given: nothing, if it finds no fault. */
export function promtool(args: readonly string[], input = ''): string {
  const { status, stdout, stderr, error } = spawnSync('promtool', args, { input, encoding: 'utf8' })
  if (error !== undefined) throw error
  return status === 0 ? '' : `${stdout}${stderr}exit status ${status}`
}
