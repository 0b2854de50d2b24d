import { expect, test } from 'vitest'
import { connect } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'

const config = `
upstreams: { o: { endpoints: ["http://127.0.0.1:9"] } }
routes:
  - match: GET /there
    steps: { a: { call: GET o /a } }
`

const refusals: readonly [what: string, request: string, status: string, reason: string][] = [
  ['a path without a route', 'GET /nowhere?secret=1 HTTP/1.1\r\nhost: x\r\n\r\n', '404', 'http_request_denied'],
  ['another method', 'POST /there HTTP/1.1\r\nhost: x\r\n\r\n', '405', 'http_request_denied'],
  ['a path that the guard refuses', 'GET /a/%2f HTTP/1.1\r\nhost: x\r\n\r\n', '400', 'http_request_error'],
  ['what is no HTTP', 'GET /\x01 HTTP/1.1\r\n\r\n', '400', 'http_request_error'],
]

test.each(refusals)('%s is counted once and told in one line with its reason', async (_, request, status, reason) => {
  await using gateway = await startGateway(config)
  await using client = await connect(gateway.port)
  client.send(request)
  expect((await client.response()).status).toBe(Number(status))
  expect(gateway.read('oneloop.refusals', { 'http.response.status_code': status })).toBe(1)
  expect(gateway.lines.map(({ message, fields }) => [message, fields['status'], fields['reason']])).toEqual([
    ['request refused', Number(status), reason],
  ])
  expect(JSON.stringify(gateway.lines)).not.toContain('secret')
})
