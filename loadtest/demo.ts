/**
 * `npm run demo`: starts the upstreams in a process of their own, then the gateway, and says what to try.
 *
 * PORT and OPS_PORT move the gateway. A gateway that ends takes the demo with it, with its exit code; Ctrl-C and
 * SIGTERM end the gateway first, so that it can drain, and then the upstreams.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Message } from './upstreams/main.ts'

const root = join(import.meta.dirname, '..')
const port = process.env['PORT'] || '8080'
const opsPort = process.env['OPS_PORT'] || '9090'

try {
  await mustBeFree('PORT', port)
  await mustBeFree('OPS_PORT', opsPort)
  // Detached: a Ctrl-C goes to the whole process group, and the gateway that drains still needs its upstreams.
  const upstreams = fork(join(root, 'loadtest/upstreams/main.ts'), { detached: true })
  const urls = await addresses(upstreams)
  upstreams.once('exit', () => console.error('demo: the upstreams have ended; every call fails from now on'))
  const code = await runGateway(urls)
  upstreams.removeAllListeners('exit').kill()
  process.exit(code)
} catch (error) {
  console.error(`demo: ${(error as Error).message}`)
  process.exit(1) // the upstreams see that we are gone, and follow
}

/** Runs the gateway to its end; resolves to its exit code. */
async function runGateway(urls: Record<string, string>): Promise<number> {
  const config = ['start', '--config', join(root, 'config/gateway.yaml')]
  const given = Object.entries(urls).map(([name, url]) => [`${name.toUpperCase()}_URL`, url])
  const env = { ...process.env, PORT: port, OPS_PORT: opsPort, ...Object.fromEntries(given) }
  const leash = ['--import', join(import.meta.dirname, 'leash.ts')]
  const gateway = fork(join(root, 'src/main.ts'), config, { execArgv: leash, env })
  const ended = once(gateway, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => gateway.kill(signal))

  if (await ready(gateway)) console.log(greeting(urls))
  const [code] = await ended
  return code ?? 1
}

/** The addresses of the upstreams, once all of them listen. */
async function addresses(upstreams: ChildProcess): Promise<Record<string, string>> {
  const ended = once(upstreams, 'exit').then(() => ({ error: 'the upstreams did not start' }))
  const told = once(upstreams, 'message').then(([message]) => message as Message)
  const message = await Promise.race([told, ended])
  if ('error' in message) throw new Error(message.error)
  return message.urls
}

/** Waits until the gateway is ready; false when it ended instead, and has said why. */
async function ready(gateway: ChildProcess): Promise<boolean> {
  while (gateway.exitCode === null && gateway.signalCode === null) {
    const status = await fetch(`http://127.0.0.1:${opsPort}/readyz`).then(
      (response) => response.status,
      () => 0,
    )
    if (status === 200) return true
    await sleep(50)
  }
  return false
}

/** Another server's /readyz on the same port would otherwise pass for the gateway's. */
async function mustBeFree(name: string, wanted: string): Promise<void> {
  const server = createServer().listen(Number(wanted), '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch (error) {
    const taken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
    throw taken
      ? new Error(`port ${wanted} is in use; choose another: ${name}=${Number(wanted) + 1} npm run demo`)
      : error
  } finally {
    server.close()
  }
}

function greeting(urls: Record<string, string>): string {
  const gateway = `http://127.0.0.1:${port}`
  return `
The gateway is ready. Try:

  curl -s '${gateway}/v1/countries/NO?lang=fr&time=1'
  curl -s -X POST ${gateway}/v1/countries -H 'content-type: application/json' -d '{"codes":["NO","SE","JP"],"lang":"es"}'
  curl -s ${gateway}/v1/meetings/NO/IN

ops        http://127.0.0.1:${opsPort}
upstreams  ${Object.values(urls).join(' ')}
`
}
