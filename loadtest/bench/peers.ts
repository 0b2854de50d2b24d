import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type GatewayName, type PeerName, isGateway } from './args.ts'
import { firstLine, freePort, scratch, start, stop } from './child.ts'
import { type Program, programs } from './programs.ts'
import { ready } from './ready.ts'
import { type Configured, servers } from './servers.ts'

/** A process under measurement. */
export interface Peer {
  readonly name: PeerName
  readonly pid: number
  readonly url: string
  stop(): Promise<void>
}

/** Why a peer cannot be started on this machine; undefined when it can. */
export function lacking(name: PeerName): string | undefined {
  if (name in programs) return programs[name as keyof typeof programs].lacking()
  return name in servers ? servers[name as keyof typeof servers].lacking() : undefined
}

/** Starts a peer that makes `fanout` calls to the origin for each request. */
export function startPeer(name: PeerName, origin: string, fanout: number): Promise<Peer> {
  if (isGateway(name)) return startGateway(name, origin, fanout)
  if (name in programs) return startProgram(name as keyof typeof programs, origin, fanout)
  return startServer(name as keyof typeof servers, origin, fanout)
}

async function startProgram(name: keyof typeof programs, origin: string, fanout: number): Promise<Peer> {
  const program: Program = programs[name]
  const child = start('measured', program.prepare(), {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...program.env, ORIGIN: origin, FANOUT: String(fanout) },
  })
  const url = await firstLine(child)
  return { name, pid: child.pid ?? 0, url: `${url}/fan/${fanout}`, stop: () => stop(child) }
}

async function startServer(name: keyof typeof servers, origin: string, fanout: number): Promise<Peer> {
  const server: Configured = servers[name]
  const [folder, port] = [scratch(), await freePort()]
  writeFileSync(join(folder, server.file), server.config({ origin, fanout, port, folder }))
  const child = start('measured', server.command(folder), {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, ...server.env },
  })
  const url = `http://127.0.0.1:${port}/fan/${fanout}`
  await ready(url, child)
  return { name, pid: child.pid ?? 0, url, stop: () => stop(child) }
}

async function startGateway(name: GatewayName, origin: string, fanout: number): Promise<Peer> {
  const [port, opsPort] = [await freePort(), await freePort()]
  const config = join(scratch(), 'gateway.yaml')
  writeFileSync(config, gatewayConfig(name, origin, fanout, port, opsPort))
  const main = join(import.meta.dirname, '../../src/main.ts')
  const child = start('measured', [process.execPath, main, 'start', '--config', config], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  await ready(`http://127.0.0.1:${opsPort}/readyz`, child)
  return {
    name,
    pid: child.pid ?? 0,
    url: `http://127.0.0.1:${port}/fan/${fanout}`,
    stop: () => stop(child),
  }
}

/**
 * A route of `fanout` steps that need nothing of each other.
 *
 * 64 clients with 10 calls each are 640 at once on 128 connections: the floor lets them wait in undici's queue for as
 * long as it takes, so the gateway's queue is as patient here.
 */
export function gatewayConfig(
  name: GatewayName,
  origin: string,
  fanout: number,
  port: number,
  opsPort: number,
): string {
  const patience = 'max: 128, queue: 4096, wait: 5s'
  const usual = `limit: { adaptive: true, ${patience} }`
  const layers = {
    gateway: usual,
    bare: `limit: { ${patience} }
    retry: 0
    breaker: off
    ejection: off
    deadline: off`,
    pipelined: `${usual}
    pipelining: 4`,
    blind: usual,
    untraced: usual,
    traced: usual,
  }[name]
  const telemetry = { blind: 'ledger: false, sample: 0%', untraced: 'sample: 0%', traced: 'sample: 100%' }
  const steps = Array.from({ length: fanout }, (_, index) => `      a${index + 1}: { call: GET origin /a${index + 1} }`)
  return `listen: { host: 127.0.0.1, port: ${port} }
ops: { host: 127.0.0.1, port: ${opsPort} }
telemetry: { ${name in telemetry ? telemetry[name as keyof typeof telemetry] : 'sample: 1%'} }
upstreams:
  origin:
    endpoints: ["${origin}"]
    connections: 128
    ${layers}
routes:
  - match: GET /fan/${fanout}
    steps:
${steps.join('\n')}
`
}
