import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import type { Message } from '../../loadtest/upstreams/main.ts'

const main = join(import.meta.dirname, '../../loadtest/upstreams/main.ts')
const anyPort = Object.fromEntries(
  ['COUNTRIES', 'CITIES', 'CURRENCIES', 'LANGUAGES', 'CLOCK'].map((name) => [`${name}_PORT`, '0']),
)
let child: ChildProcess

afterEach(() => child.kill('SIGKILL'))

async function start(env: NodeJS.ProcessEnv = {}, args: string[] = []): Promise<Message> {
  child = fork(main, args, { env: { ...process.env, ...anyPort, ...env }, execArgv: [] })
  const [message] = (await once(child, 'message')) as [Message]
  return message
}

const urlsOf = (message: Message) => ('urls' in message ? message.urls : {})

test('the process tells its parent where the services are, and ends with it', async () => {
  const urls = urlsOf(await start())
  expect(Object.keys(urls)).toEqual(['countries', 'cities', 'currencies', 'languages', 'clock'])
  expect(await (await fetch(`${urls['clock']}/now/NO`)).json()).toMatchObject({ code: 'NO' })
  child.disconnect()
  expect(await once(child, 'exit')).toEqual([0, null])
})

test('SIGTERM ends it at once', async () => {
  await start()
  child.kill('SIGTERM')
  expect(await once(child, 'exit')).toEqual([0, null])
})

test('faults to start with come from the environment and the command line', async () => {
  const urls = urlsOf(
    await start({ CITIES_FAULTS: '{"status":500,"latencyMs":1}' }, ['--fault', 'cities={"status":501}']),
  )
  expect(await (await fetch(`${urls['cities']}/__faults`)).json()).toEqual({ status: 501, latencyMs: 1 })
  expect((await fetch(`${urls['cities']}/capitals/NO`)).status).toBe(501)
})

test('a port that was asked for and is taken is told', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  expect(await start({ CITIES_PORT: String(port) })).toEqual({ error: `port ${port} of cities is in use` })
  expect(await once(child, 'exit')).toEqual([1, null])
  server.close()
})
