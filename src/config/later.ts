import type { Finding } from './fault.ts'
import { select, type Node } from './tree.ts'

const route = ['auth', 'rate', 'priority', 'cors']

/**
 * What the schema knows and the gateway cannot do yet; a line goes when the work that owns it is done.
 * `key=text` means a key only where its value begins with that text.
 */
export const later: readonly string[] = ['listen.tls', ...route.map((key) => `routes.*.${key}`)]

/** Refuses what is not yet supported, so that nothing that was written is silently ignored. */
export function findLater(tree: Node): Finding[] {
  return later.flatMap((line) => {
    const [pattern = '', value] = line.split('=')
    return select(tree, pattern.split('.'))
      .filter(([, node]) => value === undefined || (node.kind === 'scalar' && String(node.value).startsWith(value)))
      .map(([path]) => finding(path, value))
  })
}

function finding(path: Finding['path'], value: string | undefined): Finding {
  const key = path.findLast((part) => typeof part === 'string')
  const what = value === undefined ? key : `${key} ${value}`
  const on = value === undefined ? 'key' : 'value'
  return { path, on, severity: 'fault', message: `not yet supported: ${what}` }
}
