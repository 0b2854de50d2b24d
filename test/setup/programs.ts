// Sees to it that the programs are there which tests run: silent where they are, else it installs them where it may.
import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** A program that tests run, with the package that has it, by package manager. */
interface Program {
  readonly command: string
  readonly packages: Readonly<Record<string, string>>
}

interface Installer {
  readonly command: string
  /** What is run before anything is installed. */
  readonly before: readonly (readonly string[])[]
  readonly install: readonly string[]
  /** Homebrew belongs to the user, and refuses to run as root. */
  readonly root: boolean
}

const programs: readonly Program[] = [
  { command: 'redis-server', packages: { 'apt-get': 'redis-server', dnf: 'redis', apk: 'redis', brew: 'redis' } },
  {
    command: 'promtool',
    packages: { 'apt-get': 'prometheus', dnf: 'golang-github-prometheus', apk: 'prometheus', brew: 'prometheus' },
  },
  { command: 'chromium', packages: { 'apt-get': 'chromium', dnf: 'chromium', apk: 'chromium' } },
]

const installers: readonly Installer[] = [
  {
    command: 'apt-get',
    before: [['update', '-q']],
    install: ['install', '-q', '-y', '--no-install-recommends'],
    root: true,
  },
  { command: 'dnf', before: [], install: ['install', '-q', '-y'], root: true },
  { command: 'apk', before: [], install: ['add', '--no-progress'], root: true },
  { command: 'brew', before: [], install: ['install', '--quiet'], root: false },
]

const isThere = (command: string) =>
  (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK)
      return true
    } catch {
      return false
    }
  })

/** How to run something as root without being asked for a password: null where that cannot be. */
function asRoot(): readonly string[] | null {
  if (process.getuid?.() === 0) return []
  return isThere('sudo') && spawnSync('sudo', ['-n', 'true']).status === 0 ? ['sudo', '-n'] : null
}

function install({ command, before, install, root }: Installer, missing: readonly Program[]): void {
  const rights = root ? asRoot() : []
  if (rights === null) return
  const wanted = missing.flatMap(({ packages }) => packages[command] ?? [])
  const names = missing.map((program) => program.command).join(' and ')
  // `env`, since sudo passes on no variables: a package must not stop to ask.
  const prefix = [...rights, 'env', 'DEBIAN_FRONTEND=noninteractive', command]
  for (const step of [...before, [...install, ...wanted]]) {
    const [first = '', ...rest] = [...prefix, ...step]
    console.log(`The tests need ${names}: ${[...rights, command, ...step].join(' ')}`)
    if (spawnSync(first, rest, { stdio: ['ignore', 'inherit', 'inherit'] }).status !== 0) return
  }
}

const missing = programs.filter(({ command }) => !isThere(command))
const installer = installers.find(({ command }) => isThere(command))
if (missing.length > 0 && installer !== undefined) install(installer, missing)
for (const { command, packages } of missing.filter((program) => !isThere(program.command))) {
  const { 'apt-get': debian, ...others } = packages
  const names = [...new Set(Object.values(others))].join(' or ')
  console.error(`The tests need ${command} on the PATH: install the package ${debian} (Debian, Ubuntu) or ${names}.`)
  process.exitCode = 1
}
