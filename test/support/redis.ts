import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type Socket, createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { killWithUs } from './guard.ts'

/** A redis-server that runs for a test. */
export interface Redis {
  readonly url: string
  readonly port: number
  readonly pid: number
  /** Ends the server; done once it is gone. */
  readonly stop: () => Promise<void>
}

/**
 * Starts a real redis-server, empty and without persistence, on a free port of the loopback interface.
 * It does not outlive the process that asked for it, whatever ends that.
 */
export function startRedis(...options: readonly string[]): Promise<Redis> {
  return start(['--save', '', '--appendonly', 'no', ...options], 'Ready to accept connections')
}

/** Starts a real sentinel as `startRedis` does, with a file that tells what it watches, and to which it writes. */
export function startSentinel(file: string): Promise<Redis> {
  return start([file, '--sentinel'], '+monitor')
}

async function start(options: readonly string[], says: string): Promise<Redis> {
  // Between finding a free port and taking it another process may have it.
  for (let attempt = 1; attempt <= 5; attempt++) {
    const redis = await tryPort(await freePort(), options, says)
    if (redis !== null) return redis
  }
  throw new Error('redis-server found no free port')
}

async function tryPort(port: number, options: readonly string[], says: string): Promise<Redis | null> {
  const log: string[] = []
  const given = options.includes('--port') ? [] : ['--port', `${port}`]
  const args = [...options, ...given, '--bind', '127.0.0.1']
  const server = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'pipe'] })
  await once(server, 'spawn')
  const pid = server.pid as number
  const guard = killWithUs(pid)
  const gone = once(server, 'close').then(() => guard.kill('SIGKILL'))
  // An option that it does not like is told on stderr, all else on stdout.
  server.stderr.on('data', (text) => log.push(String(text)))
  const lines = createInterface(server.stdout)
  const ready = await new Promise<boolean>((resolve) => {
    lines.on('line', (line) => {
      log.push(line)
      if (line.includes(says)) resolve(true)
    })
    lines.on('close', () => resolve(false))
  })
  if (!ready) {
    await gone
    if (log.some((line) => line.includes('Address already in use'))) return null
    throw new Error(`redis-server did not start:\n${log.join('\n')}`)
  }
  // Lets a process end that has forgotten to stop its server.
  for (const handle of [server, server.stdout, server.stderr]) (handle as ChildProcess | Socket).unref()
  const stop = async () => {
    server.kill('SIGKILL')
    await gone
  }
  return { url: `redis://127.0.0.1:${port}`, port, pid, stop }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port')
  return address.port
}
