import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'

// The whole PATH of the script: what a machine has is what a test puts there.
let path: string
beforeEach(() => (path = mkdtempSync(join(tmpdir(), 'oneloop-path-'))))
afterEach(() => rmSync(path, { recursive: true }))

const machineHas = (command: string, script: string) =>
  writeFileSync(join(path, command), `#!/bin/sh\n${script}\n`, { mode: 0o755 })

function setup() {
  const script = join(import.meta.dirname, 'programs.ts')
  const { status, stdout, stderr } = spawnSync(process.execPath, [script], { env: { PATH: path }, encoding: 'utf8' })
  return { status, stdout, stderr }
}

const advice = `The tests need redis-server on the PATH: install the package redis-server (Debian, Ubuntu) or redis.
The tests need promtool on the PATH: install the package prometheus (Debian, Ubuntu) or golang-github-prometheus or prometheus.
The tests need chromium on the PATH: install the package chromium (Debian, Ubuntu) or chromium.
`

test('says nothing where all are there', () => {
  machineHas('redis-server', 'exit 1')
  machineHas('promtool', 'exit 1')
  machineHas('chromium', 'exit 1')
  machineHas('apt-get', 'exit 1')
  expect(setup()).toEqual({ status: 0, stdout: '', stderr: '' })
})

// A package manager that installs whatever it is asked for, and says what it was asked.
const aptGet = (path: string) => `echo "apt-get $DEBIAN_FRONTEND $*"
for package in "$@"; do
  case $package in
    redis-server) /bin/cp "$0" ${path}/redis-server ;;
    prometheus) /bin/cp "$0" ${path}/promtool ;;
    chromium) /bin/cp "$0" ${path}/chromium ;;
  esac
done`

function machineMayInstall() {
  machineHas('sudo', 'shift; exec "$@"')
  machineHas('env', 'exec /usr/bin/env "$@"')
  machineHas('true', '')
}

test('installs what is missing by the package manager, as root, unattended, and says so', () => {
  machineMayInstall()
  machineHas('apt-get', aptGet(path))
  const { status, stdout, stderr } = setup()
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  const install = 'install -q -y --no-install-recommends redis-server prometheus chromium'
  expect(stdout.replaceAll('sudo -n ', '')).toBe(
    [
      'The tests need redis-server and promtool and chromium: apt-get update -q',
      'apt-get noninteractive update -q',
      `The tests need redis-server and promtool and chromium: apt-get ${install}`,
      `apt-get noninteractive ${install}`,
      '',
    ].join('\n'),
  )
})

test('installs nothing that is there', () => {
  machineMayInstall()
  machineHas('redis-server', 'exit 1')
  machineHas('apt-get', aptGet(path))
  const { status, stdout } = setup()
  expect(status).toBe(0)
  expect(stdout).toContain('The tests need promtool and chromium: ')
  expect(stdout).not.toContain('redis-server')
})

test('says in a line each what to install where there is no package manager', () => {
  expect(setup()).toEqual({ status: 1, stdout: '', stderr: advice })
})

test('says it too where the package manager fails', () => {
  machineMayInstall()
  machineHas('dnf', 'exit 1')
  expect(setup()).toMatchObject({ status: 1, stderr: advice })
})
