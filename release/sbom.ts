import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { dependenciesOf, readLock } from './licences.ts'

interface Sbom {
  readonly components: readonly { readonly 'bom-ref': string; readonly name: string; readonly version: string }[]
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[]
}

// All that npm knows of, less what is there for development: `--omit dev` would also leave out what the gateway shares
// with a tool, as it does zod and yaml.
const text = execFileSync('npm', ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'], {
  cwd: join(import.meta.dirname, '..'),
  encoding: 'utf8',
})
const sbom = JSON.parse(text) as Sbom & { readonly metadata: { readonly component: { readonly 'bom-ref': string } } }
const kept = new Set(dependenciesOf(readLock()).map(({ name, version }) => `${name}@${version}`))
const refs = new Set([...kept, sbom.metadata.component['bom-ref']])
const components = sbom.components.filter((one) => kept.has(one['bom-ref']))
const dependencies = sbom.dependencies
  .filter(({ ref }) => refs.has(ref))
  .map((one) => ({ ...one, dependsOn: one.dependsOn.filter((ref) => refs.has(ref)) }))
process.stdout.write(`${JSON.stringify({ ...sbom, components, dependencies }, null, 2)}\n`)
