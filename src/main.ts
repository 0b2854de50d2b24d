import { type ParseArgsConfig, parseArgs } from 'node:util'
import { type Fault, format, listing } from './config/fault.ts'
import { type Loaded, load } from './config/load.ts'
import type { Config } from './config/schema.ts'
import { differenceLine, differences, differencesJson } from './diff.ts'
import { Misuse, explain } from './explain.ts'
import { BuildFault, compileAll } from './gateway.ts'
import { meaning } from './meaning.ts'
import { kinds, purge } from './purge.ts'
import { unreachable } from './routes.ts'
import { start } from './start.ts'
import { top } from './top.ts'
import { ownVersion } from './version.ts'

const help = `Oneloop: one request in, several upstream calls out on one event loop, one answer back.

Usage: oneloop COMMAND [--config FILE]

  start                     serve, until SIGTERM or SIGINT
  check                     read the config and tell every fault with file:line:column
  explain METHOD PATH       show what a request would do: its route, steps, order and limits
  diff OLD NEW              say what a change of the config does to routes, steps, upstreams and limits
  purge                     have a running gateway drop replies from its cache, by one of
                            --tag, --prefix and --key
  top                       show a running gateway in the terminal: who is on its loop, routes, upstreams
  help                      this text
  version                   the version

Options
  --config FILE             the config; default config/gateway.yaml
  --run                     explain: make the calls, and show when each ran
  --header "NAME: VALUE"    explain: a header of the request; may be repeated
  --body JSON               explain: the body of the request; @FILE reads it from a file
  --json                    diff: for programs
  --tag TAG                 purge: replies that have the tag
  --prefix TEXT             purge: replies whose key begins so; "GET users /" means all of an upstream, "" means all
  --key KEY                 purge: the reply of one call, "GET users /users/7", however it varies
  --ops URL                 purge, top: the ops port; default http://127.0.0.1:9090
  --token TOKEN             purge: what the config has as ops.token; default: the variable OPS_TOKEN

Exit status: 0 done, 1 a fault in the config or the run, or not all is purged, 2 a fault in the command.
Of diff: 0 no difference, 1 some, 2 a fault.
`

const options = {
  config: { type: 'string', default: 'config/gateway.yaml' },
  run: { type: 'boolean', default: false },
  header: { type: 'string', multiple: true },
  body: { type: 'string' },
  json: { type: 'boolean', default: false },
  tag: { type: 'string' },
  prefix: { type: 'string' },
  key: { type: 'string' },
  ops: { type: 'string', default: 'http://127.0.0.1:9090' },
  token: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
  version: { type: 'boolean', short: 'v', default: false },
} as const satisfies ParseArgsConfig['options']

type Values = ReturnType<typeof parse>['values']

function parse(args: string[]) {
  return parseArgs({ args, options, allowPositionals: true })
}

/** Runs one command and gives the exit status. */
async function main(args: string[]): Promise<number> {
  let parsed
  try {
    parsed = parse(args)
  } catch (error) {
    return misused((error as Error).message)
  }
  const [command = 'help', ...rest] = parsed.positionals
  if (parsed.values.help || command === 'help') return say(help)
  if (parsed.values.version || command === 'version') return version()
  if (command === 'start' && rest.length === 0)
    return withConfig(parsed.values, (config, loaded) => start(config, loaded, () => read(parsed.values)))
  if (command === 'check' && rest.length === 0)
    return withConfig(parsed.values, (config) => checked(parsed.values, config))
  if (command === 'explain' && rest.length === 2) {
    const [method = '', target = ''] = rest
    return withConfig(parsed.values, (config) => explain(config, { method, target, ...parsed.values }))
  }
  if (command === 'diff' && rest.length === 2) {
    const [before = '', after = ''] = rest
    return differ(before, after, parsed.values.json)
  }
  if (command === 'purge' && rest.length === 0) return purged(parsed.values)
  if (command === 'top' && rest.length === 0) return toldBy(parsed.values, () => top(parsed.values.ops))
  return misused(
    ['start', 'check', 'explain', 'diff', 'purge', 'top'].includes(command)
      ? `too few or too many words for "${command}"`
      : `no command "${command}"`,
  )
}

function purged(values: Values): Promise<number> | number {
  if (kinds.filter((kind) => values[kind] !== undefined).length !== 1) {
    return misused('"purge" needs one of --tag, --prefix and --key')
  }
  return toldBy(values, () => purge({ ...values, token: values.token ?? process.env.OPS_TOKEN ?? '' }))
}

function toldBy({ ops }: Values, run: () => Promise<number>): Promise<number> | number {
  return URL.canParse(ops) ? run() : misused(`--ops needs a URL such as ${options.ops.default}`)
}

/** Tells what a change does; exits as diff does. */
async function differ(before: string, after: string, json: boolean): Promise<number> {
  const [old, now] = await Promise.all([read({ config: before }), read({ config: after })])
  if (old.config === undefined || now.config === undefined) {
    faulty([...old.faults, ...now.faults])
    return 2
  }
  const all = differences(old.config, now.config)
  say(json ? `${differencesJson(all)}\n` : all.map((one) => `${differenceLine(one)}\n`).join(''))
  return all.length === 0 ? 0 : 1
}

function read({ config }: Pick<Values, 'config'>): Promise<Loaded> {
  return load(config, { env: process.env, meaning })
}

async function withConfig(
  values: Values,
  run: (config: Config, loaded: Loaded) => Promise<number> | number,
): Promise<number> {
  const loaded = await read(values)
  for (const warning of loaded.warnings) process.stderr.write(`${format(warning)} (warning)\n`)
  if (loaded.config === undefined) return faulty(loaded.faults)
  try {
    return await run(loaded.config, loaded)
  } catch (error) {
    if (error instanceof Misuse) return misused(error.message)
    if (!(error instanceof BuildFault)) throw error
    return faulty(error.hindrances.map(({ path, message }) => loaded.locate(path, message)))
  }
}

function faulty(faults: readonly Fault[]): number {
  process.stderr.write(listing(faults))
  return 1
}

async function checked(values: Values, config: Config): Promise<number> {
  // A transform is known to be there only when it was loaded.
  await compileAll(config, () => unreachable)
  const upstreams = Object.keys(config.upstreams).length
  return say(`${values.config}: ok, ${config.routes.length} routes, ${upstreams} upstreams\n`)
}

function say(text: string): number {
  process.stdout.write(text)
  return 0
}

async function version(): Promise<number> {
  return say(`oneloop ${await ownVersion()}\n`)
}

function misused(why: string): number {
  process.stderr.write(`oneloop: ${why}; "oneloop help" shows how it is used\n`)
  return 2
}

const status = await main(process.argv.slice(2))
// By force, once all is written: what a transform holds open must not keep a command from ending.
process.stdout.write('', () => process.exit(status))
