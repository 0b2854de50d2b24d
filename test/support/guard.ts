import { type ChildProcess, spawn } from 'node:child_process'
import type { Socket } from 'node:net'

/**
 * Starts a shell that kills the given process (a negative id: the group that it leads) as soon as this one is no more,
 * even by SIGKILL: then the kernel closes the pipe on which the shell waits.
 */
export function killWithUs(pid: number): ChildProcess {
  const script = 'read -r _; kill -9 "$1"'
  // Detached: a Ctrl-C must not end the guard before what it guards.
  const guard = spawn('sh', ['-c', script, 'sh', `${pid}`], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  guard.unref()
  ;(guard.stdin as unknown as Socket).unref()
  return guard
}
