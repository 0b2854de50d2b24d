import type { z } from 'zod'

import type { Finding } from './fault.ts'
import { suggest } from './suggest.ts'
import { find, type Node } from './tree.ts'

type Issue = z.core.$ZodIssue
type Path = Finding['path']

const KINDS: Readonly<Record<string, string>> = { object: 'a map', record: 'a map', array: 'a list', string: 'text' }

/** What zod finds wrong, in the operator's words, where the schema itself has none. */
export const words: z.core.$ZodErrorMap = (issue) => {
  if (issue.code === 'invalid_type') return `expected ${KINDS[issue.expected] ?? issue.expected}`
  if (issue.code === 'invalid_value')
    return `expected ${choice(issue.values.map(String))}${meant(issue.input, issue.values)}`
  if (issue.code === 'unrecognized_keys') {
    const known = Object.keys((issue.inst as z.ZodObject).shape)
    // One line for each key: a finding is told of each.
    return issue.keys.map((key) => `unknown key "${key}"${suggest(key, known)}`).join('\n')
  }
  return undefined
}

function choice(values: readonly string[]): string {
  return values.length === 1 ? (values[0] ?? '') : `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`
}

function meant(input: unknown, values: readonly unknown[]): string {
  return typeof input === 'string' ? `, not "${input}"${suggest(input, values.map(String))}` : ''
}

/** The findings of what zod found wrong with a tree. */
export function findIssues(issues: readonly Issue[], tree: Node): Finding[] {
  return issues.flatMap((issue) => unfold(issue, [])).map((finding) => ({ ...finding, ...missing(finding.path, tree) }))
}

function unfold(issue: Issue, above: Path): Finding[] {
  const path = [...above, ...issue.path.map((key) => (typeof key === 'number' ? key : String(key)))]
  const fault = (message: string): Finding => ({ path, message, severity: 'fault' })
  if (issue.code === 'unrecognized_keys') {
    const messages = issue.message.split('\n')
    return issue.keys.map((key, index) => ({ ...fault(messages[index] ?? ''), path: [...path, key], on: 'key' }))
  }
  if (issue.code === 'invalid_key') return issue.issues.map((one) => ({ ...fault(one.message), on: 'key' }))
  if (issue.code !== 'invalid_union') return [fault(issue.message)]
  const [branch, ...others] = issue.errors.filter((errors) => !errors.some(isWrongKind))
  if (branch === undefined || others.length > 0) return [fault(issue.message)]
  return branch.flatMap((one) => (isWrongWord(one) ? fault(issue.message + suggestion(one)) : unfold(one, path)))
}

/** Whether a branch of a union is of another kind than the value: then nobody meant that branch. */
function isWrongKind(issue: Issue): boolean {
  if (issue.path.length > 0) return false
  if (issue.code === 'invalid_value') return typeof issue.input !== 'string'
  if (issue.code === 'invalid_union') return issue.errors.every((branch) => branch.some(isWrongKind))
  return issue.code === 'invalid_type'
}

/** One word of a union is not all that was expected there. */
function isWrongWord(issue: Issue): boolean {
  return issue.path.length === 0 && issue.code === 'invalid_value'
}

function suggestion(issue: Issue): string {
  return /; did you mean .*/.exec(issue.message)?.[0] ?? ''
}

function missing(path: Path, tree: Node): Partial<Finding> {
  const [parent, key] = [find(tree, path.slice(0, -1)), path.at(-1)]
  if (parent?.kind !== 'map' || parent.entries.has(String(key))) return {}
  return { message: `missing key "${key}"` }
}
