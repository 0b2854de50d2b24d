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
  const script = join(import.meta.dirname, 'redis.ts')
  const { status, stdout, stderr } = spawnSync(process.execPath, [script], { env: { PATH: path }, encoding: 'utf8' })
  return { status, stdout, stderr }
}

const advice = 'The tests need redis-server on the PATH: install the package redis-server (Debian, Ubuntu) or redis.\n'

test('says nothing where redis-server is there', () => {
  machineHas('redis-server', 'exit 1')
  machineHas('apt-get', 'exit 1')
  expect(setup()).toEqual({ status: 0, stdout: '', stderr: '' })
})

test('installs it by the package manager, as root, unattended, and says so', () => {
  machineHas('sudo', 'shift; exec "$@"')
  machineHas('env', 'exec /usr/bin/env "$@"')
  machineHas('true', '')
  machineHas('apt-get', `echo "apt-get $DEBIAN_FRONTEND $*"; [ "$1" = update ] || /bin/cp "$0" ${path}/redis-server`)
  const { status, stdout, stderr } = setup()
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(stdout.replaceAll('sudo -n ', '')).toBe(
    [
      'The tests need redis-server: apt-get update -q',
      'apt-get noninteractive update -q',
      'The tests need redis-server: apt-get install -q -y --no-install-recommends redis-server',
      'apt-get noninteractive install -q -y --no-install-recommends redis-server',
      '',
    ].join('\n'),
  )
})

test('says in one line what to install where there is no package manager', () => {
  expect(setup()).toEqual({ status: 1, stdout: '', stderr: advice })
})

test('says it too where the package manager fails', () => {
  machineHas('sudo', 'shift; exec "$@"')
  machineHas('env', 'exec /usr/bin/env "$@"')
  machineHas('true', '')
  machineHas('dnf', 'exit 1')
  expect(setup()).toMatchObject({ status: 1, stderr: advice })
})
