import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import type { Told } from '../../loadtest/play/k6.ts'

test('the k6 script sends the mix at the rates it is told, and adds the loop to k6’s own summary', async () => {
  const told: Told = {
    url: 'http://gateway',
    opsUrl: 'http://ops',
    mix: [
      { method: 'GET', path: '/fine', weight: 1 },
      { method: 'GET', path: '/busy', weight: 1 },
      { method: 'POST', path: '/part', body: '{}', weight: 1 },
    ],
    phases: [
      { seconds: 10, from: 5, to: 5 },
      { seconds: 1, from: 50.4, to: 100 },
    ],
    thresholds: { http_req_failed: ['rate<0.01'], missing: ['count==0'] },
  }
  const { stdout } = await promisify(execFile)(process.execPath, [join(import.meta.dirname, 'k6script.ts')], {
    env: { ...process.env, PLAY: JSON.stringify(told) },
  })
  const { options, sent, metrics } = JSON.parse(stdout) as {
    options: object
    sent: { method: string; url: string; body: string | null }[]
    metrics: Record<string, number[]>
  }
  expect(options).toMatchObject({
    scenarios: {
      load: {
        executor: 'ramping-arrival-rate',
        startRate: 5,
        stages: [
          { target: 5, duration: '0s' },
          { target: 5, duration: '10s' },
          { target: 50, duration: '0s' },
          { target: 100, duration: '1s' },
        ],
      },
      watch: { executor: 'constant-arrival-rate', rate: 1, duration: '11s' },
    },
    thresholds: { 'http_req_failed{scenario:load}': ['rate<0.01'], missing: ['count==0'] },
  })
  const count = (path: string) => sent.filter(({ url }) => url === `http://gateway${path}`).length
  expect(count('/fine') + count('/busy') + count('/part')).toBe(300)
  expect(Math.min(count('/fine'), count('/busy'), count('/part'))).toBeGreaterThan(50)
  expect(sent.find(({ url }) => url.endsWith('/part'))).toMatchObject({ method: 'POST', body: '{}' })
  expect(metrics['partial']?.length).toBe(count('/part'))
  expect(metrics['prompt']?.filter(Boolean).length).toBe(300 - count('/busy'))
  // Of three looks the first only tells what was before.
  expect(metrics).toMatchObject({
    loop_utilisation: [0.25, 0.25],
    missing: [5, 5],
    shed: [0, 0],
    upstream_calls: [0, 0],
  })
})
