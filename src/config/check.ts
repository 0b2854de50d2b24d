import type { Finding } from './fault.ts'
import { findIssues, words } from './issues.ts'
import { schema, type Config } from './schema.ts'
import { existing, matches, plain, without, type Node, type Path } from './tree.ts'

/** What the schema says of a tree. */
export interface Checked {
  readonly findings: readonly Finding[]
  /** What remains without its faulty parts, and the tree of just that; absent when what remains is no config. */
  readonly good?: { readonly config: Config; readonly tree: Node }
}

/** Judges a tree by the schema, but for what is known to be wrong already; then takes out all that is wrong. */
export function check(tree: Node, known: readonly Finding[]): Checked {
  const inside = (path: Path): boolean => known.some((one) => one.path.every((key, index) => key === path[index]))
  const findings = judge(tree).findings.filter(({ path }) => !inside(path))
  return { findings, ...remains(tree, [...known, ...findings]) }
}

/**
 * What is taken out may have been required where it was: then that goes as well, until all is right.
 * Only what the first judgement found is told: the rest is what taking out led to.
 */
function remains(tree: Node, findings: readonly Finding[]): Pick<Checked, 'good'> {
  let kept = tree
  let wrong = findings
  for (;;) {
    const paths = wrong.map(({ path }) => essential(existing(kept, path)))
    if (paths.some((path) => path.length === 0)) return {}
    kept = without(kept, paths)
    const judged = judge(kept)
    if (judged.config !== undefined) return { good: { config: judged.config, tree: kept } }
    wrong = judged.findings
  }
}

function judge(tree: Node): { findings: Finding[]; config?: Config } {
  const { data, error } = schema.safeParse(plain(tree), { error: words, reportInput: true })
  return error === undefined ? { findings: [], config: data } : { findings: findIssues(error.issues, tree) }
}

/** Without its `each` a step would read an {item} that nobody gives: so it goes as a whole. */
function essential(path: Path): Path {
  return matches('routes.*.steps.*.each', path) ? path.slice(0, -1) : path
}
