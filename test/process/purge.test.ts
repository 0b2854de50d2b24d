import { expect, test, vi } from 'vitest'
import { freePort, oneloop, startProcess } from '../support/process.ts'

// Each test waits for processes of its own, which on a busy machine take their time to start.
vi.setConfig({ testTimeout: 60_000 })

const config = (more = '') => `
listen: { host: 127.0.0.1, port: 0 }
ops: { port: 0, token: "\${OPS_TOKEN:-}" }
${more}
upstreams: { shop: { endpoints: ["http://127.0.0.1:1"] } }
routes:
  - match: GET /items
    steps: { items: { call: GET shop /items } }
`

test.concurrent('oneloop purge asks all data loops, and is logged', async () => {
  await using gateway = await startProcess(config('loops: 2'), { env: { OPS_TOKEN: 'secret' } })
  const { opsUrl } = gateway
  const purged = await oneloop(['purge', '--tag', 'x', '--ops', opsUrl, '--token', 'secret'])
  expect(purged).toEqual({ code: 0, stdout: '0 entries purged\n', stderr: '' })
  expect(await gateway.logged('purged')).toMatchObject({ level: 'info', tag: 'x', entries: 0, whole: true })
  const byVariable = await oneloop(['purge', '--prefix', '', '--ops', opsUrl], {}, { OPS_TOKEN: 'secret' })
  expect(byVariable).toEqual({ code: 0, stdout: '0 entries purged\n', stderr: '' })
  expect(await gateway.logged('purged', 2)).toMatchObject({ prefix: '' })
  const refused = await oneloop(['purge', '--key', 'GET shop /', '--ops', opsUrl, '--token', 'other'])
  expect(refused).toEqual({ code: 1, stdout: '', stderr: expect.stringMatching(/^oneloop: 401: changes need .*\n$/) })
  expect(gateway.output()).not.toContain('secret')
})

test.concurrent.each([
  ['nothing to purge', [], '"purge" needs one of --tag, --prefix and --key'],
  ['two things', ['--tag', 'x', '--key', 'y'], '"purge" needs one of --tag, --prefix and --key'],
  ['a word too much', ['--tag', 'x', 'y'], 'too few or too many words for "purge"'],
  ['no URL', ['--tag', 'x', '--ops', 'localhost'], '--ops needs a URL such as http://127.0.0.1:9090'],
])('oneloop purge with %s is misused', async (_what, args, why) => {
  const { code, stdout, stderr } = await oneloop(['purge', ...args])
  expect({ code, stdout, stderr }).toEqual({
    code: 2,
    stdout: '',
    stderr: `oneloop: ${why}; "oneloop help" shows how it is used\n`,
  })
})

test.concurrent('oneloop purge says when nobody listens there', async () => {
  const ops = `http://127.0.0.1:${await freePort()}`
  const { code, stderr } = await oneloop(['purge', '--tag', 'x', '--ops', ops])
  expect([code, stderr]).toEqual([1, expect.stringMatching(/^oneloop: http.* does not answer .*ECONNREFUSED.*\n$/)])
})
