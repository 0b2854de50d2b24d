import { expect, test, vi } from 'vitest'
import { oneloop } from '../support/process.ts'

// Each test waits for processes of its own, which on a busy machine take their time to start.
vi.setConfig({ testTimeout: 60_000 })

const before = `upstreams:
  users: { endpoints: ["http://users"], timeout: 2s, headers: { authorization: "Bearer one" } }
  old: { endpoints: ["http://old"] }
routes:
  - match: GET /users/:id
    name: user
    steps:
      user: { call: "GET users /users/{params.id}" }
      more: { call: "GET users /more", optional: true }
    response: { id: "{user.id}" }
  - { match: GET /old, name: old, forward: old }
  - { match: GET /b, name: b, forward: users }
`
const after = `telemetry: { otlp: "http://me:hidden@collector" }
upstreams:
  users: { endpoints: ["http://users"], timeout: 2000ms, connections: 64, headers: { authorization: "Bearer two" } }
routes:
  - { match: GET /b, name: b, forward: users }
  - match: GET /users/:id
    name: user
    budget: 3s
    steps:
      user: { call: "GET users /users/{params.id}" }
      more: { call: "GET users /more", optional: true, timeout: 300ms }
    response: { id: "{user.id}", more: "{more}" }
  - { match: GET /new, name: new, forward: users }
`

test('diff tells what a change does, and nothing of what is only written otherwise; secrets stay hidden', async () => {
  const { code, stdout, stderr } = await oneloop(['diff', 'a.yaml', 'b.yaml'], { 'a.yaml': before, 'b.yaml': after })
  expect({ code, stderr }).toEqual({ code: 1, stderr: '' })
  const lines = stdout.trimEnd().split('\n')
  expect(lines).toEqual(
    expect.arrayContaining([
      '~ telemetry otlp: … → …',
      '~ upstream users connections: 128 → 64',
      '~ upstream users limit.max: 128 → 64',
      '~ upstream users headers.authorization: … → …',
      '- upstream old',
      '+ route user steps.more.timeout: 300',
      '~ route user budget: 5000 → 3000',
      '- route old',
      '+ route new',
      '~ route b: other routes come before it now, or no longer do',
    ]),
  )
  expect(lines.some((line) => line.startsWith('~ route user response'))).toBe(true)
  expect(stdout).not.toMatch(/Bearer|hidden|users timeout/)
})

test('diff --json tells the same to programs', async () => {
  const { code, stdout } = await oneloop(['diff', 'a.yaml', 'b.yaml', '--json'], { 'a.yaml': before, 'b.yaml': after })
  expect(code).toBe(1)
  expect(JSON.parse(stdout)).toEqual(
    expect.arrayContaining([
      { what: 'changed', of: 'upstream users', at: 'connections', from: 128, to: 64 },
      { what: 'changed', of: 'upstream users', at: 'headers.authorization' },
      { what: 'removed', of: 'route old' },
    ]),
  )
  expect(stdout).not.toMatch(/Bearer|hidden/)
})

test('diff of what means the same is silent and exits 0; of what is faulty it tells the faults and exits 2', async () => {
  const files = { 'a.yaml': before, 'b.yaml': before.replace('2s', '2000ms'), 'c.yaml': 'routes: []' }
  expect(await oneloop(['diff', 'a.yaml', 'b.yaml'], files)).toEqual({ code: 0, stdout: '', stderr: '' })
  const faulty = await oneloop(['diff', 'a.yaml', 'c.yaml'], files)
  expect([faulty.code, faulty.stdout]).toEqual([2, ''])
  expect(faulty.stderr).toMatch(/^c\.yaml:1:\d+: expected at least one route\n/)
})
