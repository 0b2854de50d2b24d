import { expect, test, vi } from 'vitest'
import { ask, request } from '../support/client.ts'
import { startJsonOrigin } from '../support/origin.ts'
import { type GatewayProcess, startProcess } from '../support/process.ts'
import { promtool } from '../support/promtool.ts'

// Each test waits for processes of its own, which on a busy machine take their time to start.
vi.setConfig({ testTimeout: 60_000 })

const config = (origin: string) => `listen: { host: 127.0.0.1, port: 0 }
ops: { port: 0 }
upstreams: { shop: { endpoints: ["${origin}"] } }
routes:
  - match: GET /ok
    name: ok
    steps: { one: { call: GET shop /ok } }
  - match: GET /gone
    name: 'a "route"'
    steps: { one: { call: GET shop /gone } }
`

async function scrape(gateway: GatewayProcess, accept = 'text/plain') {
  const response = await fetch(`${gateway.opsUrl}/metrics`, { headers: { accept } })
  return { status: response.status, type: response.headers.get('content-type'), text: await response.text() }
}

/** Scrapes until a line is there. */
async function scraped(gateway: GatewayProcess, line: string): Promise<string> {
  for (;;) {
    const { text } = await scrape(gateway)
    if (text.split('\n').includes(line)) return text
  }
}

test.concurrent('what Prometheus scrapes is without fault in both forms, and has what was counted', async () => {
  await using origin = await startJsonOrigin({ '/ok': { a: 1 } })
  await using gateway = await startProcess(config(origin.url))
  for (const path of ['/ok', '/ok', '/gone']) await ask(gateway.port, request('GET', path))
  await scraped(gateway, 'oneloop_requests_total{http_route="ok",result="ok"} 2')
  const text = await scraped(gateway, 'oneloop_loop_listening{loop="data"} 1')
  expect(promtool(['check', 'metrics'], text)).toBe('')
  expect((await scrape(gateway)).type).toBe('text/plain; version=0.0.4; charset=utf-8')
  const lines = text.split('\n')
  expect(lines).toContain('oneloop_calls_total{upstream="shop"} 2')
  expect(lines).toContain('oneloop_calls_total{upstream="shop",error_type="unaccepted_status"} 1')
  expect(lines.find((line) => line.startsWith('oneloop_requests_total{http_route="a \\"route\\""'))).toBeDefined()
  const durations = 'http_server_request_duration_seconds'
  const two = `${durations}_count{http_route="ok",http_request_method="GET",http_response_status_code="200"} 2`
  expect(lines).toContain(two)
  expect(text).toMatch(/^oneloop_config_info\{revision="[0-9a-f]{12}"\} 1$/m)
  // What never happened in any of its many combinations is left out.
  expect(text).not.toContain('dns_error')

  const open = await scrape(gateway, 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5')
  expect(open.type).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8')
  expect(open.text.endsWith('\n# EOF\n')).toBe(true)
  expect(open.text).toContain('# UNIT nodejs_eventloop_time_seconds seconds\n')
  // The samples are the same in both.
  expect(samples(open.text)).toEqual(samples(text))
})

function samples(text: string): string[] {
  const named = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return named.map((line) => line.slice(0, line.lastIndexOf(' ')).replace(/le="(\d+)\.0"/, 'le="$1"'))
}
