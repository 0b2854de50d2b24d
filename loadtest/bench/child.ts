import { spawn, spawnSync, type ChildProcess, type SpawnOptions } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Which core a process runs on: the measured one has a core to itself, client and origins share another. */
export type Core = 'measured' | 'others'

/** The two cores to pin to, or undefined where there are not two or no taskset. */
export const cores: Readonly<Record<Core, number>> | undefined = findCores()

const running = new Set<ChildProcess>()
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')))

/** Starts a process on a core, or on any; it is killed when this one exits. */
export function start(core: Core | 'any', command: readonly string[], options: SpawnOptions): ChildProcess {
  const pin = cores && core !== 'any' ? ['taskset', '-c', String(cores[core])] : []
  const [file = '', ...args] = [...pin, ...command] // taskset becomes the command: the pid is the command's
  const child = spawn(file, args, options)
  running.add(child)
  child.once('exit', () => running.delete(child))
  return child
}

/** Ends a process and waits until it is gone. */
export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), 3000) // a gateway drains; nobody waits for it here
  await gone
  clearTimeout(late)
}

/** The first line that a process writes on stdout; rejects when it ends without one. */
export async function firstLine(child: ChildProcess): Promise<string> {
  let text = ''
  for await (const chunk of child.stdout ?? []) {
    text += String(chunk)
    const end = text.indexOf('\n')
    if (end >= 0) return text.slice(0, end)
  }
  throw new Error(`${child.spawnargs.join(' ')} ended before it was ready`)
}

/** All that a process writes on stdout until it ends; rejects when it fails. */
export async function output(child: ChildProcess): Promise<string> {
  const chunks: Buffer[] = []
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk))
  const [code] = (await once(child, 'close')) as [number | null]
  const text = Buffer.concat(chunks).toString()
  if (code !== 0) throw new Error(`${child.spawnargs.join(' ')} failed: ${text.trim()}`)
  return text
}

/** A port on 127.0.0.1 that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

/** A new folder for files of this run, gone when this process exits. */
export function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'oneloop-bench-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Is there such a command on this machine? */
export function has(command: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${command}`]).status === 0
}

/** The first two cores that this process may use: a container need not have 0 and 1. */
function findCores() {
  if (!has('taskset')) return undefined
  const allowed = /Cpus_allowed_list:\s*(\S+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? ''
  const [measured, others] = allowed.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number)
    return Array.from({ length: last - first + 1 }, (_, index) => first + index)
  })
  return measured === undefined || others === undefined ? undefined : { measured, others }
}
