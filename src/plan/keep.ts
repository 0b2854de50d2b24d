import type { Call } from '../call/call.ts'
import type { State } from './plan.ts'
import { type Names, loneRef, reader } from './read.ts'
import { makeAll, parseText } from './reference.ts'
import { jsonOf } from './out.ts'
import { compileText } from './text.ts'

/** What the operator says of kept replies to a call. */
export interface KeepSpec {
  /** References whose values keep replies apart. */
  readonly vary?: readonly string[] | undefined
  /** Templates of names by which replies can be dropped. */
  readonly tags?: readonly string[] | undefined
}

/** What a cache is told of a call. `bound`: the header fields that were bound for it. */
export type Keep = (state: State, bound: string) => Pick<Call, 'apart' | 'tags'>

/** Compiles what a cache is told of a call. Throws a TemplateFault. */
export function compileKeep({ vary = [], tags = [] }: KeepSpec, names: Names): Keep {
  const [values, texts] = makeAll([
    [['vary'], () => makeAll(vary.map((ref, i) => [[i], () => reader(loneRef(ref), names, true)]))],
    [['tags'], () => makeAll(tags.map((tag, i) => [[i], () => compileText(parseText(tag), names, (text) => text)]))],
  ])
  return (state, bound) => {
    // Read when the reply is in: most calls are answered by one that is kept already.
    const named = (): string[] => texts.map((text) => text(state)).filter((tag) => typeof tag === 'string')
    if (values.length === 0) return texts.length === 0 ? { apart: bound } : { apart: bound, tags: named }
    const apart = `${bound}\n${values.map((value, i) => `${vary[i]}: ${jsonOf(value(state))}`).join('\n')}`
    return texts.length === 0 ? { apart } : { apart, tags: named }
  }
}
