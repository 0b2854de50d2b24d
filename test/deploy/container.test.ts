import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { parse as parseYaml } from 'yaml'
import { startJsonOrigin } from '../support/origin.ts'
import { watch } from '../support/process.ts'

// npm takes its time, above all on a busy machine.
vi.setConfig({ testTimeout: 240_000 })

// No container engine is needed: this does what deploy/Dockerfile says, in a folder that becomes read-only, as a user
// that owns nothing. What it cannot show is the image itself: its base, and its size.
const root = resolve(import.meta.dirname, '../..')
const dockerfile = readFileSync(join(root, 'deploy/Dockerfile'), 'utf8')
const tree = mkdtempSync(join(tmpdir(), 'oneloop-container-'))
afterAll(() => {
  execFileSync('chmod', ['-R', 'u+w', tree])
  rmSync(tree, { recursive: true })
})

/** The lines of a stage with what an instruction is given. */
function linesOf(stage: string, instruction: string): string[] {
  const [, body = ''] = new RegExp(`^FROM \\S+ AS ${stage}\\n([^]*?)(?=^FROM |(?![^]))`, 'm').exec(dockerfile) ?? []
  return body
    .split('\n')
    .flatMap((line) => (line.startsWith(`${instruction} `) ? [line.slice(instruction.length + 1)] : []))
}

const user = 65_534

test('what the Dockerfile installs and copies starts as another user from a tree that is read-only, and drains', async () => {
  // As the stage of the packages does it.
  for (const file of ['package.json', 'package-lock.json', '.npmrc']) cpSync(join(root, file), join(tree, file))
  expect(linesOf('packages', 'COPY')).toEqual(['package.json package-lock.json .npmrc ./'])
  const [install = ''] = linesOf('packages', 'RUN')
  const [npm = '', ...args] = install.split(' ')
  const env = { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH']}` }
  execFileSync(npm, [...args, '--prefer-offline'], { cwd: tree, env, stdio: 'pipe' })
  // Nothing that is for development only, not even the Node that comes by npm.
  for (const name of ['typescript', 'vitest', 'node', 'kubernetes-models']) {
    expect(existsSync(join(tree, 'node_modules', name))).toBe(false)
  }

  // As the last stage does it.
  for (const line of linesOf('gateway', 'COPY').filter((one) => !one.startsWith('--from=packages '))) {
    const [from = '', to = ''] = line.split(' ')
    mkdirSync(dirname(join(tree, to)), { recursive: true })
    cpSync(join(root, from), join(tree, to === './' ? from : to), { recursive: true })
  }
  await using origin = await startJsonOrigin({ '/a': 1 })
  writeFileSync(
    join(tree, 'gateway.yaml'),
    `listen: { host: 127.0.0.1, port: 0, drain: 0s }
ops: { port: 0 }
upstreams: { shop: { endpoints: ["${origin.url}"] } }
routes: [ { match: GET /a, steps: { one: { call: GET shop /a } } } ]
`,
  )
  // Where the image has its own Node; this one may lie where others may not look.
  const bin = join(tree, 'bin')
  mkdirSync(bin)
  cpSync(process.execPath, join(bin, 'node'))
  writeFileSync(join(tree, 'memory.max'), String(512 * 1024 * 1024))
  execFileSync('chmod', ['-R', 'a-w,a+rX', tree])
  chmodSync(tree, 0o555)

  const runs = { PATH: `${bin}${delimiter}/usr/bin${delimiter}/bin`, MEMORY_LIMIT_FILE: join(tree, 'memory.max') }
  const asAnother = process.getuid?.() === 0 ? { uid: user, gid: user } : {}
  const child = spawn(join(tree, 'deploy/entrypoint.sh'), ['start', '--config', join(tree, 'gateway.yaml')], {
    cwd: tree,
    env: runs,
    ...asAnother,
  })
  await once(child, 'spawn')
  await using gateway = watch(child)
  const [clients, ops] = await Promise.race([
    Promise.all([gateway.logged('listening'), gateway.logged('ops')]),
    gateway.ended.then((how) => Promise.reject(new Error(`ended (${how}):\n${gateway.output()}`))),
  ])
  expect(await (await fetch(`${String(clients['address'])}/a`)).json()).toEqual({ one: 1 })
  expect((await fetch(`${String(ops['address'])}/readyz`)).status).toBe(200)
  // It listens elsewhere here; in the image it is the port that the health check asks.
  const [check = ''] = linesOf('gateway', 'HEALTHCHECK')
  const [, asked = ''] = /"http:\/\/127\.0\.0\.1:9090(\/\w+)"/.exec(check) ?? []
  expect((await fetch(`${String(ops['address'])}${asked}`)).status).toBe(200)

  const numbers = await (await fetch(`${String(ops['address'])}/metrics`)).text()
  const limits = [...numbers.matchAll(/^v8js_memory_heap_limit_bytes\{loop="control"\} (\d+)/gm)].map(([, bytes]) =>
    Number(bytes),
  )
  expect(limits.length).toBe(1)
  // 60 % of 512 MiB, and what V8 adds for the young.
  expect(limits[0]).toBeLessThan(512 * 1024 * 1024)

  child.kill('SIGTERM')
  expect(await gateway.ended).toBe(0)
  expect(gateway.lines('stopped')).toMatchObject([{ cut: 0 }])
})

test('the image runs as a user by number, asks for health, and copies only what .dockerignore lets through', () => {
  expect(linesOf('gateway', 'USER')).toEqual(['1000:1000'])
  expect(linesOf('gateway', 'ENTRYPOINT')).toEqual(['["/app/deploy/entrypoint.sh"]'])
  const let_ = readFileSync(join(root, '.dockerignore'), 'utf8')
    .split('\n')
    .flatMap((line) => (line.startsWith('!') ? [line.slice(1)] : []))
  const copied = ['packages', 'demo', 'gateway']
    .flatMap((stage) => linesOf(stage, 'COPY'))
    .filter((line) => !line.startsWith('--from'))
  const sources = copied.flatMap((line) => line.split(' ').slice(0, -1))
  expect([...new Set(sources)].toSorted()).toEqual(let_.toSorted())
})

test('compose.yaml mounts files that there are, and calls services that it has', () => {
  const { services } = parseYaml(readFileSync(join(root, 'deploy/compose.yaml'), 'utf8')) as {
    services: Record<
      string,
      { volumes?: string[]; depends_on?: string[]; environment?: Record<string, string>; build?: { target: string } }
    >
  }
  const all = Object.values(services)
  const mounted = all.flatMap(({ volumes = [] }) => volumes.map((volume) => volume.split(':', 1)[0] as string))
  expect(mounted.filter((path) => !existsSync(join(root, 'deploy', path)))).toEqual([])
  const called = all.flatMap(({ depends_on: needs = [], environment = {} }) => [
    ...needs,
    ...Object.values(environment).flatMap((value) => /^\w+:\/\/([^:/]+)/.exec(value)?.[1] ?? []),
  ])
  expect(called.filter((name) => !(name in services))).toEqual([])
  const targets = all.flatMap(({ build }) => build?.target ?? [])
  expect(targets.filter((target) => !new RegExp(`^FROM .* AS ${target}$`, 'm').test(dockerfile))).toEqual([])
  expect(targets).toEqual(['gateway', 'demo'])
})
