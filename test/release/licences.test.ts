import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { allowed, dependenciesOf, licencesDocument, readLock } from '../../release/licences.ts'

const root = resolve(import.meta.dirname, '../..')

test('each dependency where the gateway runs has a licence that is allowed, and is listed', () => {
  const dependencies = dependenciesOf(readLock())
  expect(dependencies.filter(({ licence }) => !allowed.includes(licence))).toEqual([])
  expect(readFileSync(join(root, 'docs/licences.md'), 'utf8')).toBe(licencesDocument(dependencies))
})

test('the bill of materials has the same packages, each with what it stands on', () => {
  const text = execFileSync(process.execPath, [join(root, 'release/sbom.ts')], { encoding: 'utf8' })
  const { components, dependencies } = JSON.parse(text) as {
    components: { readonly 'bom-ref': string }[]
    dependencies: { readonly ref: string; readonly dependsOn: readonly string[] }[]
  }
  const known = dependenciesOf(readLock()).map(({ name, version }) => `${name}@${version}`)
  const refs = new Set(components.map((one) => one['bom-ref']))
  expect([...refs].toSorted()).toEqual(known.toSorted())
  const { dependencies: direct } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
  }
  const own = dependencies.find(({ ref }) => !refs.has(ref))
  expect(own?.dependsOn.toSorted()).toEqual(
    Object.entries(direct)
      .map((one) => one.join('@'))
      .toSorted(),
  )
})

test('what has changed is told of the version that the package has', () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  expect(/^## (.*)$/m.exec(readFileSync(join(root, 'CHANGELOG.md'), 'utf8'))?.[1]).toBe(version)
})
