import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join, resolve } from 'node:path'
import { expect, test, vi } from 'vitest'
import { startJsonOrigin } from '../support/origin.ts'
import { folderOf, watch } from '../support/process.ts'

// npm takes its time, above all on a busy machine.
vi.setConfig({ testTimeout: 240_000 })

const root = resolve(import.meta.dirname, '../..')
// The bin's first line asks for the first `node` that there is: as on a machine that has this one.
const env = { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH']}` }

test('the tarball of npm pack has no TypeScript, and npx starts it, with an operator’s hook in TypeScript', async () => {
  using folder = folderOf({
    'hook.ts': 'export const shape = (_: unknown, parts: { one: number }): object => ({ shaped: parts.one })',
  })
  const packed = execFileSync('npm', ['pack', '--json', '--pack-destination', folder.path], {
    cwd: root,
    env,
    encoding: 'utf8',
  })
  const [{ filename, version, files }] = JSON.parse(packed) as [
    { filename: string; version: string; files: { path: string }[] },
  ]
  const paths = files.map(({ path }) => path)
  expect(paths.filter((path) => path.endsWith('.ts') && !path.startsWith('config/'))).toEqual([])
  expect(paths).toEqual(
    expect.arrayContaining(['dist/main.js', 'dist/loop.js', 'LICENSE', 'CHANGELOG.md', 'config/gateway.schema.json']),
  )

  await using origin = await startJsonOrigin({ '/a': 7 })
  const config = `listen: { host: 127.0.0.1, port: 0, drain: 0s }
ops: { port: 0 }
upstreams: { shop: { endpoints: ["${origin.url}"] } }
routes:
  - { match: GET /a, steps: { one: { call: GET shop /a } }, transform: "./hook.ts#shape" }
`
  writeFileSync(join(folder.path, 'gateway.yaml'), config)
  const npx = ['--yes', '--prefer-offline', `--package=${join(folder.path, filename)}`, '--', 'oneloop']
  const says = execFileSync('npx', [...npx, 'version'], { cwd: folder.path, env, encoding: 'utf8' })
  expect(says).toBe(`oneloop ${version}\n`)

  const child = spawn('npx', [...npx, 'start', '--config', 'gateway.yaml'], { cwd: folder.path, env, detached: true })
  await once(child, 'spawn')
  await using started = watch(child, { group: true })
  const { address } = await Promise.race([
    started.logged('ops').then(() => started.logged('listening')),
    started.ended.then((how) => Promise.reject(new Error(`ended (${how}):\n${started.output()}`))),
  ])
  expect(await (await fetch(`${String(address)}/a`)).json()).toEqual({ shaped: 7 })
  // To all of them, as a terminal sends it: npm passes no signal on to what it runs by a shell.
  process.kill(-(child.pid as number), 'SIGINT')
  await started.logged('stopped')
})

test('a Node that is too old is told so in one line', () => {
  const bin = readFileSync(join(root, 'release/oneloop.js'), 'utf8')
  const asOld = bin.replace('process.versions.node', "'20.11.1'").replace(/^#!.*\n/, '')
  const { status, stderr } = spawnSync(process.execPath, ['--eval', asOld], { encoding: 'utf8' })
  expect({ status, stderr }).toEqual({
    status: 1,
    stderr: expect.stringMatching(/^oneloop: needs Node 26 or newer; this is v/),
  })
})
