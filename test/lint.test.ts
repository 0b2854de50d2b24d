import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

// The import rules of the house, as the design draws them: what each room may import of ours.
const arrows: Record<string, readonly string[]> = {
  call: [],
  policy: [],
  config: [],
  cache: ['call'],
  telemetry: ['call'],
  upstream: ['call', 'policy', 'cache', 'telemetry'],
  plan: ['call'],
  server: ['call', 'plan', 'policy', 'telemetry'],
  ops: ['config', 'telemetry'],
}
const rooms = Object.keys(arrows)

// One door per library: the only files that may import it.
const doors: Record<string, RegExp> = {
  hono: /^src\/(server|ops)\//,
  'hono/cors': /^src\/(server|ops)\//,
  '@hono/node-server': /^src\/(server|ops)\//,
  undici: /^src\/upstream\/(pool|connect|parser)\.ts$/,
  ioredis: /^src\/cache\//,
  '@opentelemetry/api': /^src\/ops\//,
  '@opentelemetry/sdk-trace': /^src\/ops\//,
  'node:process': /^$/,
}

interface Case {
  readonly file: string
  readonly code: string
  /** What oxlint must say of this line, or null for a line that it must let through. */
  readonly says: string | null
}

const layers = ['balance', 'breaker', 'cache', 'limit', 'pool', 'retry', 'timeout', 'a-layer-to-come']
const kept = ['answer', 'fetch', 'invalidate', 'keep', 'share', 'stored', 'tee']
const parts = ['classify', 'connect', 'decode', 'json', 'lender', 'parser', 'plain', 'joiner', ...kept]
const places = [
  ...rooms.map((room) => `src/${room}/some.ts`),
  'src/main.ts',
  'src/upstream/pool.ts',
  'src/upstream/connect.ts',
  'src/upstream/parser.ts',
  'src/upstream/stack.ts',
  'src/upstream/wires.ts',
]

const cases: Case[] = [
  ...rooms.flatMap((room) =>
    rooms
      .filter((other) => other !== room)
      .map((other) => ({
        file: `src/${room}/some.ts`,
        code: `export * from '../${other}/there.ts'`,
        says: arrows[room]?.includes(other) ? null : `${room}/ imports`,
      })),
  ),
  ...rooms.flatMap((room) =>
    ['../gateway.ts', '../../test/support/redis.ts'].map((path) => ({
      file: `src/${room}/some.ts`,
      code: `export * from '${path}'`,
      says: `${room}/ imports`,
    })),
  ),
  ...places.flatMap((file) =>
    Object.entries(doors).map(([library, door]) => ({
      file,
      code: `export * from '${library}'`,
      says: door.test(file) ? null : library.startsWith('node:') ? 'process is a global' : 'only',
    })),
  ),
  { file: 'src/ops/page/some.ts', code: `export * from '../observe.ts'`, says: null },
  { file: 'src/ops/page/some.ts', code: `export * from '../../telemetry/meters.ts'`, says: null },
  { file: 'src/ops/page/some.ts', code: `export * from '../../server/app.ts'`, says: 'ops/page/ imports only' },
  { file: 'src/ops/page/client/some.ts', code: `export * from '../moment.ts'`, says: null },
  { file: 'src/ops/page/client/some.ts', code: `export * from '../present.ts'`, says: 'the page runs in a browser' },
  { file: 'src/ops/page/client/some.ts', code: `export * from 'node:fs'`, says: 'the page runs in a browser' },
  // Files that have a list of patterns of their own keep the rules of their room.
  ...['pool', 'connect', 'parser', 'stack', 'wires'].flatMap((name) => [
    { file: `src/upstream/${name}.ts`, code: `export * from '../plan/run.ts'`, says: 'upstream/ imports only' },
    { file: `src/upstream/${name}.ts`, code: `export * from '../call/call.ts'`, says: null },
  ]),
  ...['some', 'pool', 'connect'].flatMap((name) => [
    ...layers
      .filter((layer) => layer !== 'pool' || name === 'some')
      .map((layer) => ({
        file: `src/upstream/${name}.ts`,
        code: `export * from './${layer}.ts'`,
        says: 'Layers do not import each other',
      })),
    ...parts
      .filter((part) => part !== name)
      .map((part) => ({ file: `src/upstream/${name}.ts`, code: `export * from './${part}.ts'`, says: null })),
  ]),
  ...['stack', 'wires'].flatMap((name) =>
    layers
      .filter((layer) => layer !== name)
      .map((layer) => ({ file: `src/upstream/${name}.ts`, code: `export * from './${layer}.ts'`, says: null })),
  ),
  ...rooms.map((room) => ({ file: 'src/main.ts', code: `export * from './${room}/there.ts'`, says: null })),
  { file: 'src/main.ts', code: `export * from '../loadtest/demo.ts'`, says: 'what runs is all in src/' },

  // No other form of import gets around a rule.
  { file: 'src/plan/forms.ts', code: `import '../server/app.ts'`, says: 'plan/ imports only call/' },
  { file: 'src/plan/forms.ts', code: `export const a = import('../server/app.ts')`, says: 'plan/ imports only call/' },
  { file: 'src/plan/forms.ts', code: `export type { B } from '../server/app.ts'`, says: 'plan/ imports only call/' },
  { file: 'src/plan/forms.ts', code: `export { c } from '../call/../server/app.ts'`, says: 'plan/ imports only call/' },
  { file: 'src/plan/deep/er.ts', code: `export * from '../../server/app.ts'`, says: 'plan/ imports only call/' },

  { file: 'src/plan/env.ts', code: 'export const a = process.env.HOME', says: 'process.env is for config/load.ts' },
  { file: 'src/plan/env.ts', code: 'export const { env } = process', says: 'process.env is for config/load.ts' },
  { file: 'src/policy/env.ts', code: 'export const a = process.env.HOME', says: 'process.env is for config/load.ts' },
  {
    file: 'src/config/schema.ts',
    code: 'export const a = process.env.HOME',
    says: 'process.env is for config/load.ts',
  },
  { file: 'src/config/load.ts', code: 'export const a = process.env.HOME', says: null },
  { file: 'src/main.ts', code: 'export const home = process.env.HOME', says: null },

  { file: 'src/policy/pure.ts', code: 'export const a = Date.now()', says: 'policy/ is told the time' },
  { file: 'src/policy/pure.ts', code: 'export const b = performance.now()', says: 'policy/ is told the time' },
  { file: 'src/policy/pure.ts', code: 'export const c = Math.random()', says: 'policy/ is told its random numbers' },
  { file: 'src/policy/pure.ts', code: 'export const d = setTimeout(String, 1)', says: 'policy/ decides at once' },
  { file: 'src/policy/pure.ts', code: 'export const e = Promise.resolve(1)', says: 'policy/ decides at once' },
  { file: 'src/policy/pure.ts', code: 'setInterval(String, 1)', says: 'policy/ decides at once' },
  { file: 'src/policy/pure.ts', code: 'setImmediate(String)', says: 'policy/ decides at once' },
  { file: 'src/policy/pure.ts', code: 'queueMicrotask(() => {})', says: 'policy/ decides at once' },
  { file: 'src/policy/pure.ts', code: `void fetch('')`, says: 'policy/ is pure' },
  { file: 'src/policy/pure.ts', code: `export * from 'node:fs'`, says: 'policy/ is pure' },
  { file: 'src/policy/pure.ts', code: 'export const f = Math.max(1, 2)', says: null },
  { file: 'src/plan/pure.ts', code: 'export const a = [Date.now(), Math.random()]', says: null },

  { file: 'src/plan/style.ts', code: 'export default 1', says: 'default export' },
  { file: 'src/plan/style.ts', code: 'console.log(1)', says: 'console' },
  { file: 'src/plan/style.ts', code: 'async function later() {}', says: null },
  { file: 'src/plan/style.ts', code: 'later()', says: 'Promises must be awaited' },
  { file: 'src/plan/style.ts', code: 'void later()', says: null },
  { file: 'src/plan/style.ts', code: 'if (later()) throw new Error()', says: 'Promise' },
  { file: 'src/plan/style.ts', code: ';[1].forEach(later)', says: 'Promise' },
  { file: 'src/plan/style.ts', code: 'export const a: any = 1', says: '`any`' },
  { file: 'src/plan/style.ts', code: 'export const b = a == 1', says: '===' },
  { file: 'src/plan/style.ts', code: 'const unused = 1', says: 'never used' },
  {
    file: 'src/plan/style.ts',
    code: 'export function c(d: 1 | 2) { switch (d) { case 1: return 1 } }',
    says: 'not exhaustive',
  },
  { file: 'src/plan/one.ts', code: `export { two } from './two.ts'`, says: 'cycle' },
  { file: 'src/plan/two.ts', code: `import { one } from './one.ts'; export const two = () => one`, says: 'cycle' },
  { file: 'src/plan/one.ts', code: 'export const one = 1', says: null },
  { file: 'test/style.test.ts', code: 'console.log(process.env.HOME)', says: null },
  { file: 'test/style.test.ts', code: ';[1].forEach(async () => {})', says: null },
  { file: 'vitest.config.ts', code: 'export default {}', says: null },
]

const root = resolve(import.meta.dirname, '..')
const tree = mkdtempSync(join(tmpdir(), 'oneloop-lint-'))
const lines = Map.groupBy(cases, (item) => item.file)
/** What oxlint says of each line, by `file:line`. */
const said = new Map<string, string>()

interface Diagnostic {
  readonly filename: string
  readonly message: string
  readonly help?: string
  readonly labels: readonly { readonly span: { readonly line: number } }[]
}

// One run over one tree that holds every case, each on a line of its own: a run for each would take a minute.
beforeAll(() => {
  for (const config of ['.oxlintrc.json', 'tsconfig.json']) cpSync(join(root, config), join(tree, config))
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'))
  for (const [file, items] of lines) {
    mkdirSync(dirname(join(tree, file)), { recursive: true })
    writeFileSync(join(tree, file), items.map((item) => `${item.code}\n`).join(''))
  }
  const oxlint = join(root, 'node_modules/.bin/oxlint')
  const paths = ['src', 'test', 'vitest.config.ts']
  const run = spawnSync(oxlint, ['--format=json', ...paths], { cwd: tree, encoding: 'utf8', maxBuffer: 2 ** 24 })
  const { diagnostics } = JSON.parse(run.stdout) as { diagnostics: Diagnostic[] }
  for (const { filename, labels, message, help } of diagnostics) {
    const at = `${filename}:${labels[0]?.span.line}`
    said.set(at, `${said.get(at) ?? ''}${message} ${help}\n`)
  }
})
afterAll(() => rmSync(tree, { recursive: true }))

test.each([...lines.keys()])('%s: each line is told its fault, or let through', (file) => {
  const expected = (lines.get(file) ?? []).map(({ code, says }) => [code, says])
  const found = (lines.get(file) ?? []).map(({ code, says }, index) => {
    const here = said.get(`${file}:${index + 1}`)
    // The words that are looked for stand for the whole message, so that the difference is short.
    return [code, says !== null && here?.includes(says) ? says : (here ?? null)]
  })
  expect(found).toEqual(expected)
})

test('every room of src/ has its arrows', () => {
  const found = readdirSync(join(root, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory())
  expect(rooms).toEqual(expect.arrayContaining(found.map((entry) => entry.name)))
})
