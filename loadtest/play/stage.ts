import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, scratch, start, stop } from '../bench/child.ts'
import { startOrigin } from '../bench/origin.ts'
import { ready } from '../bench/ready.ts'
import type { Message } from '../upstreams/main.ts'
import type { GatewayName } from './scenario.ts'

/** A gateway with what it calls, ready to be loaded; it ends with `await using`. */
export interface Stage extends AsyncDisposable {
  readonly url: string
  readonly opsUrl: string
  /** Where the demo's upstreams are; none for the others. */
  readonly upstreams: Readonly<Record<string, string>>
  readonly what: string
}

const root = join(import.meta.dirname, '../..')
const leash = join(root, 'loadtest/leash.ts')

/** Starts a gateway of so many data loops on a core of its own, and beside the client what it calls. */
export function startStage(name: GatewayName, loops: number): Promise<Stage> {
  return name === 'demo' ? startDemo(loops) : startParts(name, loops)
}

async function startDemo(loops: number): Promise<Stage> {
  const names = ['countries', 'cities', 'currencies', 'languages', 'clock']
  const anyPort = Object.fromEntries(names.map((name) => [`${name.toUpperCase()}_PORT`, '0']))
  const services = start('others', [process.execPath, join(root, 'loadtest/upstreams/main.ts')], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: { ...process.env, ...anyPort },
  })
  const [message] = (await once(services, 'message')) as [Message]
  if ('error' in message) throw new Error(message.error)
  const urls = Object.entries(message.urls).map(([upstream, url]) => [`${upstream.toUpperCase()}_URL`, url])
  return startGateway(join(root, 'config/gateway.yaml'), loops, {
    env: Object.fromEntries(urls) as Record<string, string>,
    upstreams: message.urls,
    what: 'the demo over its five services',
    end: () => stop(services),
  })
}

/** What one route of several calls is made of. */
export interface Parts {
  readonly calls: number
  /** What the origin takes for each. */
  readonly delayMs: number
  readonly cache?: string
}

const parts: Readonly<Record<Exclude<GatewayName, 'demo'>, Parts>> = {
  three: { calls: 3, delayMs: 0 },
  five: { calls: 5, delayMs: 20 },
  cached: { calls: 3, delayMs: 200, cache: '{ ttl: 1s }' },
}

async function startParts(name: Exclude<GatewayName, 'demo'>, loops: number): Promise<Stage> {
  const made = parts[name]
  const origin = await startOrigin(made.delayMs)
  const config = join(scratch(), 'gateway.yaml')
  writeFileSync(config, partsConfig(made, origin.url))
  const delay = made.delayMs > 0 ? ` of ${made.delayMs} ms` : ''
  return startGateway(config, loops, {
    env: {},
    upstreams: {},
    what: `a route of ${made.calls} calls${delay}, origin ${origin.what}`,
    end: () => origin.stop(),
  })
}

/** A config whose one route makes several calls, none of which needs another. */
export function partsConfig({ calls, cache }: Parts, origin: string): string {
  const more = cache === undefined ? '' : `, cache: ${cache}`
  const steps = Array.from({ length: calls }, (_, i) => `      a${i + 1}: { call: GET origin /a${i + 1}${more} }`)
  return `listen: { host: 127.0.0.1, port: '\${PORT}' }
ops: { host: 127.0.0.1, port: '\${OPS_PORT}' }
loops: '\${LOOPS}'
upstreams:
  origin: { endpoints: ["${origin}"] }
routes:
  - match: GET /parts
    steps:
${steps.join('\n')}
`
}

async function startGateway(
  config: string,
  loops: number,
  rest: Pick<Stage, 'upstreams' | 'what'> & { readonly env: Readonly<Record<string, string>>; end(): Promise<void> },
): Promise<Stage> {
  const [port, opsPort] = [String(await freePort()), String(await freePort())]
  const main = ['--import', leash, join(root, 'src/main.ts'), 'start', '--config', config]
  // One loop has a core to itself; more of them need more, and take what they find.
  const gateway = start(loops > 1 ? 'any' : 'measured', [process.execPath, ...main], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: { ...process.env, ...rest.env, LOOPS: String(loops), PORT: port, OPS_PORT: opsPort },
  })
  await ready(`http://127.0.0.1:${opsPort}/readyz`, gateway)
  return {
    url: `http://127.0.0.1:${port}`,
    opsUrl: `http://127.0.0.1:${opsPort}`,
    upstreams: rest.upstreams,
    what: rest.what,
    async [Symbol.asyncDispose]() {
      await end(gateway)
      await rest.end()
    },
  }
}

/** At once, as nobody is served any more. */
async function end(gateway: ChildProcess): Promise<void> {
  if (gateway.exitCode !== null || gateway.signalCode !== null) return
  const gone = once(gateway, 'exit')
  gateway.kill('SIGKILL')
  await gone
}
