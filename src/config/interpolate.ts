import { dirname, resolve } from 'node:path'

import type { Read } from './disk.ts'
import { rewrite, type Node, type Scalar } from './tree.ts'

/** Where variables get their values. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly read: Read
}

/** `$${` is a literal `${`; else everything up to the next brace is meant to be a variable. */
const VARIABLE = /\$\$\{|\$\{([^}]*)\}?/g

const NAMED = /^\$\{([A-Za-z_]\w*)(?::-([^]*))?\}$/
const FILE = /^\$\{file:(.+)\}$/

/**
 * Puts the values of variables and files into every string of a tree.
 *
 * What cannot be put in is a fault of that string, told by its name; a value is never told.
 */
export function interpolate(tree: Node, around: Surroundings): Node {
  return rewrite(tree, (node) => (node.kind === 'scalar' ? fill(node, around) : undefined))
}

function fill(scalar: Scalar, around: Surroundings): Scalar {
  const written = scalar.value
  if (typeof written !== 'string' || !written.includes('${')) return scalar
  const faults: string[] = []
  const value = written.replace(VARIABLE, (variable) => {
    if (variable === '$${') return '${'
    const found = look(variable, dirname(scalar.at.file), around)
    if ('fault' in found) faults.push(found.fault)
    return 'fault' in found ? '' : found.value
  })
  return { ...scalar, value, written, ...(faults.length > 0 && { faults }) }
}

function look(variable: string, folder: string, { env, read }: Surroundings): { value: string } | { fault: string } {
  const path = FILE.exec(variable)?.[1]
  if (path !== undefined) {
    const content = read(resolve(folder, path))
    if ('why' in content) return { fault: `${variable} cannot be read: ${content.why}` }
    return { value: content.text.replace(/\r?\n$/, '') }
  }
  const [, name, instead] = NAMED.exec(variable) ?? []
  if (name === undefined) return { fault: 'expected ${NAME}, ${NAME:-default} or ${file:PATH}; $${ is a literal ${' }
  // As in a shell, `:-` also stands in for a variable that is empty.
  const value = instead === undefined ? env[name] : env[name] || instead
  return value === undefined
    ? { fault: `the variable ${name} is not set; \${${name}:-default} gives it a default` }
    : { value }
}
