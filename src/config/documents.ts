import { createHash } from 'node:crypto'
import { dirname, resolve } from 'node:path'

import type { Read } from './disk.ts'
import type { Document, Hook } from './route.ts'
import { matches, rewrite, type Node, type Scalar } from './tree.ts'

const PEM = ['upstreams.*.tls', 'defaults.tls', 'cache.tls'].flatMap((tls) =>
  ['ca', 'cert', 'key'].map((key) => `${tls}.${key}`),
)

/** Opens the files that routes and upstreams name, each relative to the config file that names it. */
export function openDocuments(tree: Node, read: Read): Node {
  return rewrite(tree, (node, path) => {
    if (node.kind === 'scalar' && node.faults !== undefined) return node
    if (matches('routes.*.schema', path)) return openSchema(node, read)
    if (matches('routes.*.transform', path)) return openHook(node, read)
    if (PEM.some((pattern) => matches(pattern, path))) return openText(node, read)
    return undefined
  })
}

function openText(node: Node, read: Read): Scalar {
  const path = textOf(node)
  if (path === undefined) return refuse(node, 'expected a file such as ./ca.pem')
  const found = read(resolve(dirname(node.at.file), path))
  if ('why' in found) return refuse(node, `"${path}" cannot be read: ${found.why}`)
  return { kind: 'scalar', at: node.at, value: found.text }
}

function openSchema(node: Node, read: Read): Scalar {
  const path = textOf(node)
  if (path === undefined) return refuse(node, 'expected a file such as ./order.schema.json')
  const file = resolve(dirname(node.at.file), path)
  const found = read(file)
  if ('why' in found) return refuse(node, `"${path}" cannot be read: ${found.why}`)
  const content = parsed(found.text)
  if (content === undefined) return refuse(node, `"${path}" is not JSON`)
  return { kind: 'scalar', at: node.at, value: { file, content } satisfies Document }
}

function openHook(node: Node, read: Read): Scalar {
  const [, path, name] = /^(.+)#([A-Za-z_$][\w$]*)$/.exec(textOf(node) ?? '') ?? []
  if (path === undefined || name === undefined) {
    return refuse(node, 'expected a file and the name of its function, such as ./hooks/profile.ts#shape')
  }
  const file = resolve(dirname(node.at.file), path)
  const found = read(file)
  if ('why' in found) return refuse(node, `"${path}" cannot be read: ${found.why}`)
  return { kind: 'scalar', at: node.at, value: { file, name, version: versionOf(found.text) } satisfies Hook }
}

function versionOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12)
}

function textOf(node: Node): string | undefined {
  return node.kind === 'scalar' && typeof node.value === 'string' ? node.value : undefined
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function refuse(node: Node, fault: string): Scalar {
  return { ...(node.kind === 'scalar' ? node : { kind: 'scalar', at: node.at, value: null }), faults: [fault] }
}
