import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A package that is installed where the gateway runs. */
export interface Dependency {
  readonly name: string
  readonly version: string
  readonly licence: string
}

/** The licences that a dependency may have: none asks more of whoever runs or ships the gateway than to name it. */
export const allowed = ['0BSD', 'Apache-2.0', 'BlueOak-1.0.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT']

interface Lock {
  readonly packages: Readonly<
    Record<string, { readonly version: string; readonly license?: string; readonly dev?: boolean }>
  >
}

/** Lists all that a production install of a lock file installs. */
export function dependenciesOf(lock: Lock): Dependency[] {
  const all = Object.entries(lock.packages)
    .filter(([path, { dev }]) => path !== '' && dev !== true)
    .map(([path, { version, license = 'unknown' }]) => ({
      name: path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length),
      version,
      licence: license,
    }))
    .map((one) => [`${one.name} ${one.version}`, one] as const)
  // The same package may be installed in several places.
  return [...new Map(all)].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one)
}

/** Writes the list as a document. */
export function licencesDocument(dependencies: readonly Dependency[]): string {
  const rows = dependencies.map(({ name, version, licence }) => `| ${name} | ${version} | ${licence} |`)
  return [
    '# Licences',
    '',
    'What is installed with Oneloop where it runs. Made by `npm run licences`; `npm run sbom` prints the same as CycloneDX.',
    '',
    '| package | version | licence |',
    '| --- | --- | --- |',
    ...rows,
    '',
  ].join('\n')
}

/** Reads the lock file of this project. */
export function readLock(): Lock {
  return JSON.parse(readFileSync(join(import.meta.dirname, '../package-lock.json'), 'utf8')) as Lock
}

if (import.meta.main) {
  writeFileSync(join(import.meta.dirname, '../docs/licences.md'), licencesDocument(dependenciesOf(readLock())))
}
