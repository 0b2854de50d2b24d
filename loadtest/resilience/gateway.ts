import type { ChildProcess } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, scratch, start } from '../bench/child.ts'
import { ready } from '../bench/ready.ts'
import { kill } from './child.ts'

/** A gateway in a process of its own; it ends with `await using`. */
export interface Gateway extends AsyncDisposable {
  readonly url: string
  readonly process: ChildProcess
  /** Asks it on the ops port how it is doing. */
  status(): Promise<Status>
}

/** What a gateway says of itself. */
export interface Status {
  readonly loops: readonly { readonly deaths: number }[]
  readonly series: readonly Series[]
}

interface Series {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly value: number
}

const root = join(import.meta.dirname, '../..')

/** Starts the gateway with these upstreams and routes; whatever is preloaded holds its leash, so that it ends with us. */
export async function startGateway(
  yaml: string,
  { preload = join(root, 'loadtest/leash.ts'), flags = [] }: { preload?: string; flags?: readonly string[] } = {},
): Promise<Gateway> {
  const [port, opsPort] = [await freePort(), await freePort()]
  const config = join(scratch(), 'gateway.yaml')
  const listen = `listen: { host: 127.0.0.1, port: ${port} }\nops: { host: 127.0.0.1, port: ${opsPort} }\n`
  writeFileSync(config, listen + yaml)
  const main = ['--import', preload, join(root, 'src/main.ts'), 'start', '--config', config]
  const child = start('measured', [process.execPath, ...flags, ...main], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  await ready(`http://127.0.0.1:${opsPort}/readyz`, child)
  return {
    url: `http://127.0.0.1:${port}`,
    process: child,
    async status() {
      const response = await fetch(`http://127.0.0.1:${opsPort}/api/status`)
      return (await response.json()) as Status
    },
    [Symbol.asyncDispose]: () => kill(child),
  }
}

/** Adds up what a gateway has counted under a name, where all of the attributes fit. */
export function sum({ series }: Status, name: string, attributes: Readonly<Record<string, string>> = {}): number {
  const wanted = Object.entries(attributes)
  const fits = (one: Series) => one.name === name && wanted.every(([key, value]) => one.attributes[key] === value)
  return series.filter(fits).reduce((total, { value }) => total + value, 0)
}
