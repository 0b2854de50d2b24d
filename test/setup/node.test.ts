import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

test('the tests run on the Node that package.json pins, whatever the machine has', () => {
  const { devDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    devDependencies: { node: string }
  }
  expect(process.version).toBe(`v${devDependencies.node}`)
})
