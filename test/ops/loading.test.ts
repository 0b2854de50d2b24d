import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'

/** Gives the files that are loaded with a file of src/. */
function loadedWith(file: string): string[] {
  const script = `import { registerHooks } from 'node:module'
const seen = []
registerHooks({ load: (url, context, next) => (seen.push(url), next(url, context)) })
await import(process.argv[1])
console.log(JSON.stringify(seen))`
  const path = resolve(import.meta.dirname, '../../src', file)
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', script, path], {
    encoding: 'utf8',
  })
  if (stdout === '') throw new Error(stderr)
  return JSON.parse(stdout) as string[]
}

const telemetry = (urls: string[]): string[] => urls.filter((url) => url.includes('@opentelemetry'))

test('OpenTelemetry is loaded for nobody who does not push to a collector', () => {
  const started = loadedWith('start.ts')
  expect(started.some((url) => url.endsWith('/src/ops/http.ts'))).toBe(true)
  expect(telemetry(started)).toEqual([])
  expect(telemetry(loadedWith('ops/otlp.ts'))).not.toEqual([])
})
