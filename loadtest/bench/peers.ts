import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { PeerName } from './args.ts'
import { firstLine, freePort, scratch, start, stop } from './child.ts'
import { ready } from './ready.ts'

/** A process under measurement. */
export interface Peer {
  readonly name: PeerName
  readonly pid: number
  readonly url: string
  stop(): Promise<void>
}

/** Starts a peer that makes `fanout` calls to the origin for each request. */
export function startPeer(name: PeerName, origin: string, fanout: number): Promise<Peer> {
  return name === 'gateway' || name === 'bare' ? startGateway(name, origin, fanout) : startScript(name, origin, fanout)
}

async function startScript(name: PeerName, origin: string, fanout: number): Promise<Peer> {
  const child = start('measured', [process.execPath, join(import.meta.dirname, `../peers/${name}.ts`)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ORIGIN: origin, FANOUT: String(fanout) },
  })
  const url = await firstLine(child)
  return { name, pid: child.pid ?? 0, url: `${url}/fan/${fanout}`, stop: () => stop(child) }
}

async function startGateway(name: 'gateway' | 'bare', origin: string, fanout: number): Promise<Peer> {
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
  name: 'gateway' | 'bare',
  origin: string,
  fanout: number,
  port: number,
  opsPort: number,
): string {
  const patience = 'max: 128, queue: 4096, wait: 5s'
  const layers =
    name === 'gateway'
      ? `limit: { adaptive: true, ${patience} }`
      : `limit: { ${patience} }
    retry: 0
    breaker: off
    ejection: off
    deadline: off`
  const steps = Array.from({ length: fanout }, (_, index) => `      a${index + 1}: { call: GET origin /a${index + 1} }`)
  return `listen: { host: 127.0.0.1, port: ${port} }
ops: { host: 127.0.0.1, port: ${opsPort} }
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
