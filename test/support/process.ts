import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { killWithUs } from './guard.ts'

const main = join(import.meta.dirname, '../../src/main.ts')

/** Files by name, or a config alone: `gateway.yaml` is what a command reads. */
export type Files = string | Readonly<Record<string, string>>

/** What a command came to. */
export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** How a gateway process is started. */
export interface Starting {
  readonly env?: Readonly<Record<string, string>>
  /** How many files and sockets it may have open, in place of what this process may. */
  readonly descriptors?: number
  /** Another config than the `gateway.yaml` of its folder. */
  readonly config?: string
}

/** One line of a gateway's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly level: string; readonly msg: string }

/** A gateway in a process of its own. */
export interface GatewayProcess extends AsyncDisposable {
  readonly url: string
  readonly port: number
  readonly opsUrl: string
  readonly child: ChildProcess
  /** Where its files are. */
  readonly folder: string
  /** All that it has written so far, to stdout and to stderr. */
  output(): string
  /** The lines of its log so far, those with a message alone if one is given. */
  lines(message?: string): LogLine[]
  /** Waits until its log has so many lines with a message, and gives the last of them. */
  logged(message: string, count?: number): Promise<LogLine>
  /** Waits until it has written a text. */
  says(wanted: string): Promise<void>
  /** Waits for its end: the exit status, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>
  /** Asks for a piece of `/api/status`. */
  status(): Promise<Status>
  /** Kills it, if it is still there, and removes its files. */
  stop(): Promise<void>
}

/** What a gateway says of itself. */
export interface Status {
  readonly state: string
  readonly loops: readonly { readonly listening: boolean; readonly deaths: number }[]
  readonly series: readonly {
    readonly name: string
    readonly attributes: Readonly<Record<string, string>>
    readonly value: number
  }[]
}

/** A folder of files for a test. */
export interface Folder extends Disposable {
  readonly path: string
}

/** Writes files to a folder of their own. */
export function folderOf(files: Files): Folder {
  const path = mkdtempSync(join(tmpdir(), 'oneloop-process-'))
  // A project whose files are modules, as an operator's is: else Node warns of each hook.
  const all = {
    'package.json': '{"type":"module"}',
    ...(typeof files === 'string' ? { 'gateway.yaml': files } : files),
  }
  for (const [name, text] of Object.entries(all)) writeFileSync(join(path, name), text)
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

/** Runs `oneloop` with arguments to its end, in a folder that has the files. */
export async function oneloop(args: readonly string[], files: Files = {}, env: Starting['env'] = {}): Promise<Ran> {
  using folder = folderOf(files)
  const child = spawn(process.execPath, [main, ...args], { cwd: folder.path, env: environment(env) })
  await once(child, 'spawn')
  const guard = killWithUs(child.pid as number)
  child.stdin.end()
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const [code] = (await once(child, 'close')) as [number | null]
  guard.kill('SIGKILL')
  return { code, stdout, stderr }
}

/** Starts `oneloop start` in a process of its own; it is there when it serves. Ends with `await using`. */
export async function startProcess(files: Files, starting: Starting = {}): Promise<GatewayProcess> {
  const started = await launch(files, starting)
  const ready = Promise.all([started.logged('listening'), started.logged('ops')])
  const died = started.ended.then((how) => Promise.reject(new Error(`ended (${how}):\n${started.output()}`)))
  try {
    const [clients, ops] = await Promise.race([ready, died])
    const url = String(clients['address'])
    const opsUrl = String(ops['address'])
    return { ...started, url, opsUrl, port: Number(new URL(url).port), status: () => statusOf(opsUrl) }
  } catch (error) {
    await started.stop()
    throw error
  }
}

/** Starts `oneloop start` without waiting for anything but the process. */
export async function launch(files: Files, { env = {}, descriptors, config }: Starting = {}) {
  const folder = folderOf(files)
  const command = [process.execPath, main, 'start', '--config', config ?? join(folder.path, 'gateway.yaml')]
  // What sh executes has its id, so that signals reach the gateway.
  const limited = ['sh', '-c', `ulimit -n ${descriptors}; exec "$@"`, 'sh', ...command]
  const [program = '', ...args] = descriptors === undefined ? command : limited
  const child = spawn(program, args, { env: environment(env) })
  await once(child, 'spawn')
  return { child, folder: folder.path, ...watch(child, { folder }) }
}

/** Follows what a process writes, line by line, and sees to its end; of one that leads a `group`, to all of that. */
export function watch(child: ChildProcess, { folder, group = false }: { folder?: Folder; group?: boolean } = {}) {
  const id = (child.pid as number) * (group ? -1 : 1)
  const guard = killWithUs(id)
  let text = ''
  const told = new EventTarget()
  const add = (piece: string): void => {
    text += piece
    told.dispatchEvent(new Event('output'))
  }
  child.stdout?.setEncoding('utf8').on('data', add)
  child.stderr?.setEncoding('utf8').on('data', add)
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? (signal as NodeJS.Signals)))
  })
  const output = (): string => text
  const lines = (message?: string): LogLine[] =>
    linesOf(text).filter(({ msg }) => message === undefined || msg === message)
  const stop = async (): Promise<void> => {
    try {
      process.kill(id, 'SIGKILL')
    } catch {
      // It has ended by itself.
    }
    await ended
    guard.kill('SIGKILL')
    folder?.[Symbol.dispose]()
  }
  return {
    output,
    lines,
    async logged(message: string, count = 1) {
      while (lines(message).length < count) await once(told, 'output')
      return lines(message)[count - 1] as LogLine
    },
    async says(wanted: string) {
      while (!text.includes(wanted)) await once(told, 'output')
    },
    ended,
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

/** Finds a port that is free, for what cannot be told to take any. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

async function statusOf(opsUrl: string): Promise<Status> {
  const response = await fetch(`${opsUrl}/api/status`)
  return (await response.json()) as Status
}

function linesOf(text: string): LogLine[] {
  return text
    .split('\n')
    .flatMap((line) => (line.startsWith('{') && line.endsWith('}') ? [JSON.parse(line) as LogLine] : []))
}

// Compiled code is kept between the many processes of a test run: each starts a third faster.
const compiled = join(tmpdir(), 'oneloop-compile-cache')

function environment(env: Starting['env']): NodeJS.ProcessEnv {
  return { ...process.env, NODE_COMPILE_CACHE: compiled, NO_COLOR: undefined, FORCE_COLOR: undefined, ...env }
}
