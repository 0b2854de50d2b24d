import { spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { freePort, watch } from '../support/process.ts'

// Each test waits for processes of its own, which on a busy machine take their time to start.
vi.setConfig({ testTimeout: 60_000 })

const root = join(import.meta.dirname, '../..')

/** Makes the request that a curl line makes. */
function curl(line: string): Promise<Response> {
  const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([word, quoted]) => quoted ?? word)
  const valueOf = (option: string): string | undefined => words[words.indexOf(option) + 1 || words.length]
  const url = words.find((word) => word.startsWith('http')) as string
  const [name, value] = (valueOf('-H') ?? 'accept: */*').split(': ') as [string, string]
  return fetch(url, { method: valueOf('-X') ?? 'GET', headers: { [name]: value }, body: valueOf('-d') ?? null })
}

interface Running {
  readonly pid: number
  readonly parent: number
}

/** All processes that run. One that has ended stays in the list until its parent takes note: that is not counted. */
function running(): Running[] {
  const { stdout } = spawnSync('ps', ['-A', '-o', 'pid=,ppid=,stat='], { encoding: 'utf8' })
  const rows = stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/) as [string, string, string])
  return rows.flatMap(([pid, parent, stat]) =>
    stat.startsWith('Z') ? [] : [{ pid: Number(pid), parent: Number(parent) }],
  )
}

/** The processes that a process has started, and those that they have. */
function descendants(of: number, all = running()): number[] {
  return all.filter(({ parent }) => parent === of).flatMap(({ pid }) => [pid, ...descendants(pid, all)])
}

test('npm run demo serves merged real data, does without what fails, and leaves no process behind', async () => {
  const [port, ops] = [await freePort(), await freePort()]
  const env = { ...process.env, PORT: `${port}`, OPS_PORT: `${ops}` }
  const child = spawn(process.execPath, [join(root, 'loadtest/demo.ts')], { env, detached: true })
  await using demo = watch(child, { group: true })
  await demo.says('\nupstreams  ')
  const lines = demo.output().match(/^ *curl .*$/gm) ?? []
  expect(lines.length).toBe(3)
  expect((await fetch(`http://127.0.0.1:${ops}/readyz`)).status).toBe(200)

  const [country, countries, meeting] = await Promise.all(lines.map(async (line) => (await curl(line)).json()))
  expect(country).toMatchObject({
    country: { code: 'NO', name: 'Norway' },
    capital: { name: 'Oslo' },
    currency: { code: 'NOK' },
    neighbours: [{ name: 'Finland' }, { name: 'Sweden' }, { name: 'Russia' }],
    time: { zones: [{ zone: 'Europe/Oslo' }] },
  })
  expect(countries).toMatchObject({
    lang: 'es',
    countries: [{ name: 'Norway' }, { name: 'Sweden' }, { name: 'Japan' }],
  })
  expect(meeting).toMatchObject({ from: { code: 'NO' }, to: { code: 'IN', offsets: [330] } })

  const norway = `http://127.0.0.1:${port}/v1/countries/NO`
  const [shop = '', cities = ''] =
    demo
      .output()
      .match(/^upstreams +(.*)$/m)?.[1]
      ?.split(' ') ?? []
  const set = (url: string, faults: object) =>
    fetch(`${url}/__faults`, { method: 'POST', body: JSON.stringify(faults) })

  // An optional part that fails is null, and said to be missing.
  await set(cities, { reset: true })
  const without = await fetch(norway)
  expect([without.status, without.headers.get('oneloop-missing')]).toEqual([200, 'capital;error=connection_terminated'])
  expect(await without.json()).toMatchObject({ country: { name: 'Norway' }, capital: { name: null } })

  // A required one decides.
  await set(shop, { reset: true })
  const failed = await fetch(norway)
  expect([failed.status, failed.headers.get('content-type')]).toEqual([502, 'application/problem+json'])
  expect(failed.headers.get('proxy-status')).toBe('oneloop;error=connection_terminated')

  await Promise.all([shop, cities].map((url) => fetch(`${url}/__faults`, { method: 'DELETE' })))
  const healthy = await fetch(norway)
  expect([healthy.status, healthy.headers.get('oneloop-missing')]).toEqual([200, null])

  const started = descendants(child.pid as number)
  expect(started.length).toBeGreaterThanOrEqual(2)
  child.kill('SIGTERM')
  expect(await demo.ended).toBe(0)
  while (running().some(({ pid }) => started.includes(pid))) await new Promise((resolve) => setImmediate(resolve))
})
