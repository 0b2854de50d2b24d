import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { has } from './child.ts'

/** A program that does the same as the gateway, in whatever it is written. */
export interface Program {
  /** Why it cannot be started here; undefined when it can. */
  lacking(): string | undefined
  /** Installs or builds what it needs, and gives the command that starts it. */
  prepare(): readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

const peers = join(import.meta.dirname, '../peers')
const cache = join(import.meta.dirname, '../../.cache/peers')
const needs = (command: string) => () => (has(command) ? undefined : `no ${command} on PATH`)
const node = (file: string): Program => ({
  lacking: () => undefined,
  prepare: () => [process.execPath, join(peers, file)],
})

/** The peers that are told ORIGIN and FANOUT, and tell where they listen. */
export const programs = {
  floor: node('floor.ts'),
  naive: node('naive.ts'),
  fastify: { lacking: needs('npm'), prepare: fastify },
  go: { lacking: needs('go'), prepare: go, env: { GOMAXPROCS: '1' } },
  aiohttp: { lacking: needs('python3'), prepare: python, env: { SESSION: 'shared' } },
  'aiohttp-each': { lacking: needs('python3'), prepare: python, env: { SESSION: 'each' } },
} as const satisfies Record<string, Program>

function fastify(): string[] {
  const folder = join(peers, 'fastify')
  if (!existsSync(join(folder, 'node_modules'))) {
    install('npm', ['ci', '--no-audit', '--no-fund'], folder)
  }
  return [process.execPath, join(folder, 'main.js')]
}

function go(): string[] {
  mkdirSync(cache, { recursive: true })
  const binary = join(cache, 'go-peer')
  install('go', ['build', '-o', binary, 'main.go'], join(peers, 'go'))
  return [binary]
}

/** Its packages lie in a folder of their own, made anew when what it requires has changed. */
function python(): string[] {
  const folder = join(peers, 'aiohttp')
  const venv = join(cache, 'aiohttp')
  const binary = join(venv, 'bin/python')
  const wanted = readFileSync(join(folder, 'requirements.txt'), 'utf8')
  const stamp = join(venv, 'installed.txt')
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
    install('python3', ['-m', 'venv', '--clear', venv], folder)
    install(binary, ['-m', 'pip', 'install', '--quiet', '--requirement', 'requirements.txt'], folder)
    writeFileSync(stamp, wanted)
  }
  return [binary, join(folder, 'main.py')]
}

function install(command: string, args: readonly string[], cwd: string): void {
  execFileSync(command, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] })
}
