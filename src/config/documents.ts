import { dirname, resolve } from 'node:path'

import type { Read } from './disk.ts'
import type { Document, Hook } from './route.ts'
import { matches, rewrite, type Node, type Scalar } from './tree.ts'

/** Opens the files that routes name, each relative to the config file that names it. */
export function openDocuments(tree: Node, read: Read): Node {
  return rewrite(tree, (scalar, path) => {
    if (scalar.faults !== undefined) return scalar
    if (matches('routes.*.schema', path)) return openSchema(scalar, read)
    if (matches('routes.*.transform', path)) return openHook(scalar, read)
    return scalar
  })
}

function openSchema(scalar: Scalar, read: Read): Scalar {
  if (typeof scalar.value !== 'string') return refuse(scalar, 'expected a file such as ./order.schema.json')
  const file = resolve(dirname(scalar.at.file), scalar.value)
  const found = read(file)
  if ('why' in found) return refuse(scalar, `"${scalar.value}" cannot be read: ${found.why}`)
  const content = parsed(found.text)
  if (content === undefined) return refuse(scalar, `"${scalar.value}" is not JSON`)
  return { ...scalar, value: { file, content } satisfies Document }
}

function openHook(scalar: Scalar, read: Read): Scalar {
  const [, path, name] = /^(.+)#([A-Za-z_$][\w$]*)$/.exec(String(scalar.value)) ?? []
  if (path === undefined || name === undefined) {
    return refuse(scalar, 'expected a file and the name of its function, such as ./hooks/profile.ts#shape')
  }
  const file = resolve(dirname(scalar.at.file), path)
  const found = read(file)
  if ('why' in found) return refuse(scalar, `"${path}" cannot be read: ${found.why}`)
  return { ...scalar, value: { file, name } satisfies Hook }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function refuse(scalar: Scalar, fault: string): Scalar {
  return { ...scalar, faults: [fault] }
}
