import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startRedis } from './redis.ts'

test('a redis-server answers until it is stopped', async () => {
  const redis = await startRedis()
  expect(redis.url).toBe(`redis://127.0.0.1:${redis.port}`)

  const socket = connect(redis.port, '127.0.0.1').setEncoding('utf8')
  socket.write('PING\r\nCONFIG GET save\r\n')
  let reply = ''
  while (!reply.endsWith('$0\r\n\r\n')) reply += String(await once(socket, 'data'))
  expect(reply).toBe('+PONG\r\n*2\r\n$4\r\nsave\r\n$0\r\n\r\n')

  const closed = once(socket, 'close')
  await redis.stop()
  await closed
  expect(() => process.kill(redis.pid, 0)).toThrow('ESRCH')
})

test('options are passed on, and a wrong one is told', async () => {
  await expect(startRedis('--maxmemory', 'much')).rejects.toThrow(/did not start:[^]*maxmemory/)
})

test.each([
  ['returns and forgets it', ''],
  ['is killed without warning', `process.kill(process.pid, 'SIGKILL')`],
  ['throws', `throw new Error('on purpose')`],
])('a redis-server does not outlive a process that %s', async (_how, end) => {
  const script = `
    import { once } from 'node:events'
    import { startRedis } from ${JSON.stringify(join(import.meta.dirname, 'redis.ts'))}
    const redis = await startRedis()
    console.log(redis.port)
    await once(process.stdin, 'data')
    process.stdin.destroy()
    ${end}`
  const owner = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'ignore'] })
  const [port] = await once(owner.stdout, 'data')
  const socket = connect(Number(port), '127.0.0.1').resume()
  await once(socket, 'connect')
  // An idle socket is closed by the end of the server only.
  const closed = new Promise((resolve) => socket.on('error', resolve).on('close', resolve))
  owner.stdin.end('go on')
  await once(owner, 'exit')
  await expect(closed).resolves.toBeDefined()
})
