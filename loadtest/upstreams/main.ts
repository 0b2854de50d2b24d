/**
 * Runs every demo service in this one process: `node loadtest/upstreams/main.ts`.
 *
 * COUNTRIES_PORT=5101 moves a service, COUNTRIES_FAULTS='{"latencyMs":300}' or --fault countries='{"latencyMs":300}'
 * starts it with faults, and --seed 7 draws other waiting times. UPSTREAMS_HOST=0.0.0.0 has others than this machine reach them. A service whose usual port is taken moves to a free
 * one. Started by `fork`, the process tells its parent the addresses and does not outlive it.
 */
import { parseArgs } from 'node:util'
import { serve, type Service } from './service.ts'
import { sources } from './sources.ts'
import type { Source } from './source.ts'

/** What the process sends to the parent that forked it. */
export type Message = { readonly urls: Readonly<Record<string, string>> } | { readonly error: string }

const { values: options } = parseArgs({
  options: { seed: { type: 'string', default: '1' }, fault: { type: 'string', multiple: true, default: [] } },
})

for (const end of ['SIGINT', 'SIGTERM', 'disconnect'] as const) process.on(end, () => process.exit(0))

try {
  const services = await Promise.all(sources.map(start))
  tell({ urls: Object.fromEntries(services.map(({ name, url }) => [name, url])) })
} catch (error) {
  tell({ error: (error as Error).message })
  process.exit(1)
}

async function start(source: Source, index: number): Promise<Service> {
  const given = process.env[`${source.name.toUpperCase()}_PORT`]
  const host = process.env['UPSTREAMS_HOST'] ?? '127.0.0.1'
  const running = { host, seed: Number(options.seed) + index, faults: faultsOf(source.name) }
  try {
    return await serve(source, { ...running, port: Number(given ?? source.port) })
  } catch (error) {
    const taken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
    if (taken && given === undefined) return serve(source, { ...running, port: 0 })
    throw taken ? new Error(`port ${given} of ${source.name} is in use`, { cause: error }) : error
  }
}

/** The faults to start with: the command line's go over the environment's. */
function faultsOf(name: string): object {
  const asked = options.fault.filter((text) => text.startsWith(`${name}=`)).map((text) => text.slice(name.length + 1))
  const texts = [process.env[`${name.toUpperCase()}_FAULTS`] ?? '{}', ...asked]
  return Object.assign({}, ...texts.map((text) => JSON.parse(text) as object)) as object
}

function tell(message: Message): void {
  if (process.send) process.send(message)
  else if ('error' in message) console.error(`upstreams: ${message.error}`)
  else for (const [name, url] of Object.entries(message.urls)) console.log(`${name.padEnd(11)} ${url}`)
}
