import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openDescriptors, throttling } from '../../src/ops/system.ts'

let folder: string
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'oneloop-system-'))))
afterEach(() => rmSync(folder, { recursive: true }))

function stat(name: string, text: string): string {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

test('throttling is read of both kinds of cgroups, the newer first', () => {
  const second = stat('v2', 'usage_usec 99\nuser_usec 90\nnr_periods 12\nnr_throttled 3\nthrottled_usec 2500000\n')
  const first = stat('v1', 'nr_periods 7\nnr_throttled 1\nthrottled_time 1500000000\n')
  expect(throttling([second, first])).toEqual({ periods: 12, throttledPeriods: 3, throttledS: 2.5 })
  expect(throttling([join(folder, 'none'), first])).toEqual({ periods: 7, throttledPeriods: 1, throttledS: 1.5 })
})

test('a cgroup without a quota, or none at all, tells nothing', () => {
  const root = stat('root', 'usage_usec 99\nuser_usec 90\nsystem_usec 9\n')
  expect(throttling([root])).toBe(null)
  expect(throttling([join(folder, 'none')])).toBe(null)
})

test('descriptors are those that are open', () => {
  const before = openDescriptors() as number
  const opened = [openSync(folder, 'r'), openSync(folder, 'r')]
  expect(openDescriptors()).toBe(before + 2)
  opened.forEach((one) => closeSync(one))
  expect(openDescriptors()).toBe(before)
})
