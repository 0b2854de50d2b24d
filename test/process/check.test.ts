import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { oneloop } from '../support/process.ts'

// Each test waits for processes of its own, which on a busy machine take their time to start.
vi.setConfig({ testTimeout: 60_000 })

const sound = `
upstreams: { shop: { endpoints: ["http://127.0.0.1:1"] } }
routes:
  - match: GET /items/:id
    steps: { one: { call: "GET shop /items/{params.id}" } }
`
const place = /^gateway\.yaml:\d+:\d+: /
const check = ['check', '--config', 'gateway.yaml']

describe('help, version and misuse', { concurrent: true }, () => {
  test('help tells the commands and options on stdout, however it is asked for', async () => {
    const [help, none] = await Promise.all([oneloop(['help']), oneloop([])])
    expect(help).toMatchObject({ code: 0, stderr: '' })
    for (const word of ['start', 'check', 'explain METHOD PATH', '--config FILE', '--run', '--header', '--body']) {
      expect(help.stdout).toContain(word)
    }
    expect(none).toEqual(help)
  })

  test('version tells the version of package.json', async () => {
    const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')) as {
      version: string
    }
    expect(await oneloop(['version'])).toEqual({ code: 0, stdout: `oneloop ${version}\n`, stderr: '' })
  })

  test.each([
    [['serve'], 'no command "serve"'],
    [['check', '--cofnig', 'x.yaml'], '--cofnig'],
    [['explain', 'GET'], 'too few or too many words for "explain"'],
  ])('a fault in the command is one line on stderr and exit status 2: %j', async (args, told) => {
    const { code, stdout, stderr } = await oneloop(args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr.trimEnd().split('\n')).toEqual([expect.stringContaining(told)])
    expect(stderr).toContain('"oneloop help" shows how it is used')
  })
})

describe('check', { concurrent: true }, () => {
  test('a sound config is told in one line, and takes no port', async () => {
    expect(await oneloop(check, sound)).toEqual({
      code: 0,
      stdout: 'gateway.yaml: ok, 1 routes, 1 upstreams\n',
      stderr: '',
    })
  })

  test('a config with ten different faults reports exactly ten, each with file:line:column, and exits 1', async () => {
    const { code, stdout, stderr } = await oneloop(
      check,
      `listen: { port: 70000 }
lops: 2
defaults: { timeout: soon }
upstreams:
  shop: { endpoints: ["ftp://shop"], cache: 2 }
  users: { endpoints: ["http://\${NOT_SET_AT_ALL}"] }
routes:
  - match: GET /a
    steps: { one: { call: GET shpo /a } }
  - match: GET /b
    steps: { one: { call: "GET shop /{two.id}" }, two: { call: "GET shop /{one.id}" } }
  - match: GET /a
    name: again
    steps: { one: { call: "GET users /{parms.id}" } }
`,
    )
    const lines = stderr.trimEnd().split('\n')
    expect(lines.at(-1)).toBe('oneloop: 10 faults in the config')
    const faults = lines.slice(0, -1)
    expect(faults.filter((line) => !place.test(line))).toEqual([])
    expect(faults.map((line) => line.replace(place, ''))).toEqual([
      expect.stringContaining('from 0 to 65535'),
      expect.stringContaining('did you mean "loops"'),
      expect.stringContaining('expected a duration'),
      expect.stringContaining('http'),
      expect.stringContaining('expected a duration such as 5m, http, off'),
      expect.stringContaining('NOT_SET_AT_ALL is not set'),
      expect.stringContaining('no upstream "shpo"; did you mean "shop"?'),
      expect.stringContaining('one → two → one'),
      expect.stringContaining('this route can never match'),
      expect.stringContaining('no step "parms"; did you mean "params"?'),
    ])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  })

  test('warnings are told with their place, and change no exit status', async () => {
    const { code, stdout, stderr } = await oneloop(
      check,
      `upstreams:
  shop: { endpoints: ["http://127.0.0.1:1"] }
  idle: { endpoints: ["http://127.0.0.1:1"], http2: true, pipelining: 2 }
routes:
  - match: GET /items
    budget: 1s
    steps: { one: { call: GET shop /items } }
`,
    )
    expect(stderr.trimEnd().split('\n')).toEqual([
      'gateway.yaml:3:3: nothing uses upstream "idle" (warning)',
      'gateway.yaml:3:3: pipelining is of no use with http2, which carries many calls on a connection anyway (warning)',
      expect.stringMatching(/^gateway\.yaml:6:\d+: the budget of 1000 ms is less .* \(warning\)$/),
    ])
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'gateway.yaml: ok, 1 routes, 2 upstreams\n' })
  })

  test('every transform that cannot be had is told at its place', async () => {
    const { code, stdout, stderr } = await oneloop(check, {
      'gateway.yaml': `upstreams: { shop: { endpoints: ["http://127.0.0.1:1"] } }
routes:
  - match: GET /a
    steps: { one: { call: GET shop /a } }
    transform: ./broken.ts#shape
  - match: GET /b
    steps: { one: { call: GET shop /b } }
    transform: ./good.ts#shpae
  - match: GET /c
    steps: { one: { call: GET shop /c } }
    transform: ./good.ts#shape
`,
      'broken.ts': 'export const shape = (',
      'good.ts': 'export const shape = (): object => ({})',
    })
    expect(stderr.trimEnd().split('\n')).toEqual([
      expect.stringMatching(/^gateway\.yaml:5:16: .*broken\.ts cannot be loaded: ./),
      expect.stringMatching(/^gateway\.yaml:8:16: .*good\.ts exports no function "shpae"/),
      'oneloop: 2 faults in the config',
    ])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  })

  test('a transform that holds something open does not keep the command from ending', async () => {
    const { code, stdout } = await oneloop(check, {
      'gateway.yaml': `${sound}    transform: ./hook.ts#shape\n`,
      'hook.ts': `setInterval(() => {}, 1000)\nexport const shape = (): object => ({})`,
    })
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'gateway.yaml: ok, 1 routes, 1 upstreams\n' })
  })
})
