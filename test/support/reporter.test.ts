import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')

/** Runs vitest over files of the given contents; gives its exit code and the last line that it printed. */
function run(files: readonly string[], ...options: readonly string[]) {
  const tree = mkdtempSync(join(tmpdir(), 'oneloop-reporter-'))
  try {
    symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'))
    writeFileSync(
      join(tree, 'vitest.config.ts'),
      `import { Totals } from ${JSON.stringify(join(import.meta.dirname, 'reporter.ts'))}
      export default { test: { reporters: ['default', new Totals()] } }`,
    )
    files.forEach((text, index) => {
      writeFileSync(join(tree, `${index}.test.ts`), `import { describe, expect, test } from 'vitest'\n${text}`)
    })
    const vitest = join(root, 'node_modules/.bin/vitest')
    const { status, stdout } = spawnSync(vitest, ['run', ...options], { cwd: tree, encoding: 'utf8' })
    return [status, stdout.trimEnd().split('\n').at(-1)]
  } finally {
    rmSync(tree, { recursive: true })
  }
}

const good = `test('good', () => {})`
const bad = `test('bad', () => expect(1).toBe(2))`

test('a run closes with its totals, in which what fails outside of a test counts', () => {
  expect(run([good])).toEqual([0, '1 passed, 0 failed'])
  const mixed = `${good}\ndescribe('more', () => { ${bad}; test.skip('later', () => {}); test.todo('later still') })`
  const broken = `throw new Error('on purpose')`
  const unhandled = `${good}\nvoid Promise.reject(new Error('on purpose'))`
  expect(run([mixed, broken, unhandled])).toEqual([1, '2 passed, 3 failed, 2 skipped'])
})

test('a run without a test fails', () => {
  expect(run([])).toEqual([1, '0 passed, 0 failed'])
  expect(run([good], '-t', 'no test has this name')).toEqual([1, '0 passed, 0 failed, 1 skipped'])
})
