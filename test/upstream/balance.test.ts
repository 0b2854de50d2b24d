import { expect, test } from 'vitest'
import { startGateway } from '../support/gateway.ts'
import { startJsonOrigin, startOrigin } from '../support/origin.ts'
import { ask } from './setting.ts'

const routes = `
routes:
  - match: GET /
    steps: { x: { call: GET o /x } }`

test('calls go to all endpoints of an upstream, each below its base path', async () => {
  await using one = await startJsonOrigin({ '/x': 1 })
  await using other = await startJsonOrigin({ '/base/x': 2 })
  await using gateway = await startGateway(`
upstreams:
  o: { endpoints: ["${one.url}", "${other.url}/base/"] }
${routes}`)
  const answers = await Promise.all(Array.from({ length: 40 }, () => ask(gateway.url)))
  expect(new Set(answers.map(({ text }) => text))).toEqual(new Set(['{"x":1}', '{"x":2}']))
  await gateway.idle()
  expect(one.requests.length + other.requests.length).toBe(40)
})

test.each([
  ['refuses connections', 'connection_refused', () => startOrigin(() => {})],
  ['breaks off', 'connection_terminated', () => startOrigin((_request, socket) => void socket.destroy())],
])('U1: an endpoint that %s costs a request, and then the other has the calls', async (_, error, start) => {
  await using good = await startJsonOrigin({ '/x': 1 })
  await using bad = await start()
  const url = error === 'connection_refused' ? 'http://127.0.0.1:1' : bad.url
  await using gateway = await startGateway(`
upstreams:
  o: { endpoints: ["${url}", "${good.url}"] }
${routes}`)
  for (let i = 0; i < 50; i++) await ask(gateway.url)
  await gateway.idle()
  // Of two that nothing is known of either may be chosen first.
  expect(gateway.read('oneloop.calls', { upstream: 'o', 'error.type': error })).toBeLessThanOrEqual(1)
  expect(good.requests.length).toBeGreaterThanOrEqual(49)
})

test('an upstream whose name cannot be resolved fails the step', async () => {
  // No name may have a label that long, so no server is asked for it.
  await using gateway = await startGateway(`
upstreams:
  o: { endpoints: ["http://${'a'.repeat(64)}.invalid"] }
${routes}`)
  const answer = await ask(gateway.url)
  expect(answer).toMatchObject({ status: 502, json: { error: 'dns_error' } })
  expect(answer.headers.get('proxy-status')).toBe('oneloop;error=dns_error')
  await gateway.idle()
})
