import { once } from 'node:events'
import { watch, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { ask, request } from '../support/client.ts'
import { browse } from '../support/browser.ts'
import { startJsonOrigin } from '../support/origin.ts'
import { type GatewayProcess, folderOf, oneloop, startProcess } from '../support/process.ts'

// Each test waits for processes of its own, which on a busy machine take their time to start.
vi.setConfig({ testTimeout: 90_000 })

const hooks = `import { existsSync, writeFileSync } from 'node:fs'
export const shape = (): object => {
  writeFileSync(process.env.STUCK, '')
  let sum = 0
  // Until it is told that it was seen, in spells long enough to be what most of its time goes to.
  for (let at = performance.now(); !existsSync(process.env.SEEN); at = performance.now()) {
    while (performance.now() - at < 50) sum += Math.sqrt(sum + 1)
  }
  return { sum }
}
`

const files = (origin: string): Record<string, string> => ({
  'hooks.ts': hooks,
  'gateway.yaml': `listen: { host: 127.0.0.1, port: 0 }
ops: { port: 0 }
upstreams: { shop: { endpoints: ["${origin}"] }, dead: { endpoints: ["http://127.0.0.1:1"], retry: 0 } }
routes:
  - { match: GET /plain, name: plain, steps: { one: { call: GET shop /ok } } }
  - { match: GET /gone, name: gone, steps: { lost: { call: GET dead /gone } } }
  - { match: GET /stuck, name: stuck, steps: { one: { call: GET shop /ok } }, transform: ./hooks.ts#shape }
`,
})

interface Said {
  readonly diagnosis: readonly { readonly level: string; readonly text: string }[]
  readonly profiles: readonly { readonly id: string; readonly why: string }[]
}

/** Reads what the page is told until that is so; the test's own timeout ends it. */
async function told(gateway: GatewayProcess, isSo: (said: Said) => boolean): Promise<Said> {
  const response = await fetch(`${gateway.opsUrl}/api/live`)
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of response.body as ReadableStream<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true })
    const events = text.split('\n\n')
    text = events.pop() ?? ''
    const nows = events.filter((event) => event.startsWith('event: now'))
    const said = nows.map((event) => JSON.parse(event.slice(event.indexOf('data: ') + 6)) as Said).find(isSo)
    if (said !== undefined) return said
  }
  throw new Error('the feed has ended')
}

test.concurrent('the page shows who is on the loop, in a real browser, and asks no other host', async ({ expect }) => {
  await using origin = await startJsonOrigin({ '/ok': { a: 1 } })
  await using gateway = await startProcess(files(origin.url))
  await using browsed = await browse(gateway.opsUrl)
  const { page } = browsed
  const get = (path: string) => ask(gateway.port, request('GET', path))
  await page.locator('#link.live').waitFor()
  await get('/gone')
  const routes = page.locator('#routes tbody tr')
  // A rate is of one second: it takes requests in each until one has been seen.
  await expect
    .poll(
      async () => {
        await get('/plain')
        return routes.filter({ hasText: 'plain' }).locator('td').nth(1).textContent()
      },
      { timeout: 30_000 },
    )
    .not.toBe('0')
  expect(await page.locator('#upstreams tbody tr').first().textContent()).toContain('shop')
  expect(await page.locator('#legend').textContent()).toMatch(/plain.*unattributed.*idle/)
  await page.keyboard.press('h')
  expect(await page.locator('[data-split=byPhase]').getAttribute('aria-pressed')).toBe('true')
  await expect.poll(() => page.locator('#legend').textContent()).toMatch(/bind|accept|send/)

  await page.keyboard.press('/')
  await page.keyboard.type('gone')
  await page.locator('#kept li', { hasText: 'gone' }).first().waitFor()
  expect(await page.locator('#waterfall').textContent()).toContain('lost · connection_refused')

  await page.setViewportSize({ width: 380, height: 800 })
  await expect
    .poll(() => page.evaluate('document.documentElement.scrollWidth <= document.documentElement.clientWidth'))
    .toBe(true)
  expect([...browsed.hosts]).toEqual([new URL(gateway.opsUrl).host])
  expect(browsed.faults).toEqual([])
})

test.concurrent(
  'P5: a blocked loop is told of while it is blocked, and profiled by itself down to the function',
  async () => {
    await using origin = await startJsonOrigin({ '/ok': { a: 1 } })
    using folder = folderOf({})
    const [marker, seen] = ['stuck', 'seen'].map((name) => join(folder.path, name)) as [string, string]
    await using gateway = await startProcess(files(origin.url), { env: { STUCK: marker, SEEN: seen } })
    const begun = once(watch(folder.path), 'change')
    const answer = ask(gateway.port, request('GET', '/stuck'))
    await begun
    let answered = false
    void answer.then(() => (answered = true))
    const during = await told(gateway, ({ diagnosis }) => diagnosis.some(({ level }) => level === 'act'))
    expect(answered).toBe(false)
    expect(during.diagnosis[0]?.text).toMatch(/the loop has been blocked for \d+ ms in route stuck, transform/)

    const after = await told(
      gateway,
      ({ diagnosis, profiles }) => profiles.length > 0 && diagnosis.some(({ text }) => text.includes('`shape`')),
    )
    expect(after.diagnosis.map(({ text }) => text)).toContainEqual(
      expect.stringMatching(/the loop (was|has been) blocked .* by `shape` in route stuck, transform/),
    )
    writeFileSync(seen, '')
    const [{ id, why } = { id: '', why: '' }] = after.profiles
    expect(why).toBe('the loop was blocked')
    const response = await fetch(`${gateway.opsUrl}/api/profiles/${id}.cpuprofile`)
    const { oneloop: labels, samples } = (await response.json()) as {
      samples: number[]
      oneloop: { accounts: string[][]; samples: number[] }
    }
    expect(labels.samples).toHaveLength(samples.length)
    const most = Map.groupBy(labels.samples, (place) => place)
    const [place] = [...most].sort(([, one], [, other]) => other.length - one.length)[0] ?? []
    expect(labels.accounts[place ?? -1]).toEqual(['stuck', 'transform'])
    expect((await answer).status).toBe(200)
  },
)

test.concurrent('a profile is taken when asked for, and what cannot be is refused', async () => {
  await using origin = await startJsonOrigin({ '/ok': { a: 1 } })
  await using gateway = await startProcess(files(origin.url))
  const opsPort = Number(new URL(gateway.opsUrl).port)
  // Without a body, and without a word on its length: as curl -X POST sends it.
  const taken = await ask(opsPort, request('POST', '/api/profile?seconds=1', { host: `127.0.0.1:${opsPort}` }))
  expect(taken).toMatchObject({ status: 200 })
  const { id } = JSON.parse(taken.text) as { id: string }
  const file = await fetch(`${gateway.opsUrl}/api/profiles/${id}.cpuprofile`)
  expect(file.headers.get('content-disposition')).toBe(`attachment; filename="oneloop-data-${id}.cpuprofile"`)
  expect(Object.keys((await file.json()) as object)).toContain('oneloop')

  const refused = async (query: string) => {
    const response = await fetch(`${gateway.opsUrl}/api/profile?${query}`, { method: 'POST' })
    return { status: response.status, detail: ((await response.json()) as { detail: string }).detail }
  }
  expect(await refused('seconds=0')).toEqual({ status: 400, detail: 'expected seconds from 1 to 60' })
  expect(await refused('seconds=x')).toEqual({ status: 400, detail: 'expected seconds from 1 to 60' })
  expect(await refused('seconds=1&loop=none')).toEqual({ status: 400, detail: 'no data loop "none" is running' })
  expect((await fetch(`${gateway.opsUrl}/api/profiles/99.cpuprofile`)).status).toBe(404)
})

test.concurrent('top shows a running gateway once where there is no terminal', async () => {
  await using origin = await startJsonOrigin({ '/ok': { a: 1 } })
  await using gateway = await startProcess(files(origin.url))
  const shown = await oneloop(['top', '--ops', gateway.opsUrl])
  expect(shown).toMatchObject({ code: 0, stderr: '' })
  expect(shown.stdout).toMatch(/^Oneloop \d+\.\d+\.\d+ {2}serving {2}config [0-9a-f]{12}\n/)
  expect(shown.stdout).toMatch(/^plain +\d/m)
  expect(shown.stdout).toMatch(/^shop +\d/m)
  const gone = await oneloop(['top', '--ops', 'http://127.0.0.1:1'])
  expect(gone.code).toBe(1)
  expect(gone.stderr).toMatch(/^oneloop: http:\/\/127\.0\.0\.1:1 does not answer/)
  expect(await oneloop(['top', '--ops', 'nowhere'])).toMatchObject({ code: 2 })
})
