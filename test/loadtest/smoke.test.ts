import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import type { Result } from '../../loadtest/play/result.ts'

const main = join(import.meta.dirname, '../../loadtest/loadtest.ts')
const run = promisify(execFile)

test('a wrong word is told on stderr, with exit code 2', async () => {
  await expect(run(process.execPath, [main, 'flood'])).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^loadtest: "flood" is no load run.*\n$/),
  })
})

test('the smoke run loads the demo, meets its thresholds and leaves a report', async () => {
  const { stdout } = await run(process.execPath, [main, 'smoke'])
  const report = /^Report: (.*)\.html$/m.exec(stdout)?.[1]
  expect(readFileSync(`${report}.html`, 'utf8')).toContain('<em class="met">passed</em>')
  const result = JSON.parse(readFileSync(`${report}.json`, 'utf8')) as Result
  expect(result.totals).toMatchObject({ seconds: 10, offered: 500 })
  expect(result.points.length).toBe(10)
  expect(result.points.some(({ utilisation }) => (utilisation ?? 0) > 0)).toBe(true)
  expect(result.totals.calls).toBeGreaterThan(1000)
}, 120_000)
