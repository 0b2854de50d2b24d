import { cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { dirname, join } from 'node:path'

// Makes dist/ of src/: the same files without their types, since Node refuses TypeScript below node_modules. Lines stay
// where they are, so that a stack trace leads to the source.
const root = join(import.meta.dirname, '..')
const dist = join(root, 'dist')

rmSync(dist, { recursive: true, force: true })
for (const file of globSync('**/*.*', { cwd: join(root, 'src') })) {
  const from = join(root, 'src', file)
  const to = join(dist, file)
  mkdirSync(dirname(to), { recursive: true })
  if (file.endsWith('.ts')) writeFileSync(to.replace(/\.ts$/, '.js'), built(readFileSync(from, 'utf8')))
  else cpSync(from, to)
}

/** Takes the types out, and has imports, and the thread of a data loop, name what is there. */
function built(source: string): string {
  return stripTypeScriptTypes(source).replace(/(['"])(\.{1,2}\/[^'"\n]*)\.ts\1/g, '$1$2.js$1')
}
