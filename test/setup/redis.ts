// Sees to it that there is a redis-server for the tests: silent where there is one, else it installs it where it may.
import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

interface Installer {
  readonly command: string
  /** Each is run in turn. */
  readonly steps: readonly (readonly string[])[]
  /** Homebrew belongs to the user, and refuses to run as root. */
  readonly root: boolean
}

const installers: readonly Installer[] = [
  {
    command: 'apt-get',
    steps: [
      ['update', '-q'],
      ['install', '-q', '-y', '--no-install-recommends', 'redis-server'],
    ],
    root: true,
  },
  { command: 'dnf', steps: [['install', '-q', '-y', 'redis']], root: true },
  { command: 'apk', steps: [['add', '--no-progress', 'redis']], root: true },
  { command: 'brew', steps: [['install', '--quiet', 'redis']], root: false },
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

function install({ command, steps, root }: Installer): boolean {
  const rights = root ? asRoot() : []
  if (rights === null) return false
  // `env`, since sudo passes on no variables: a package must not stop to ask.
  const prefix = [...rights, 'env', 'DEBIAN_FRONTEND=noninteractive', command]
  return steps.every((step) => {
    const [first = '', ...rest] = [...prefix, ...step]
    console.log(`The tests need redis-server: ${[...rights, command, ...step].join(' ')}`)
    return spawnSync(first, rest, { stdio: ['ignore', 'inherit', 'inherit'] }).status === 0
  })
}

if (!isThere('redis-server')) {
  const installer = installers.find(({ command }) => isThere(command))
  if (!(installer && install(installer) && isThere('redis-server'))) {
    console.error(
      'The tests need redis-server on the PATH: install the package redis-server (Debian, Ubuntu) or redis.',
    )
    process.exitCode = 1
  }
}
