import { type Failure, failure } from '../call/failure.ts'
import type { State } from './plan.ts'
import { type Names, giverOf, reader } from './read.ts'
import type { Piece, Ref } from './reference.ts'

/** What a text template came to: text, null when it is to be left out, or what is missing. */
export type Bound = string | null | Failure
/** Makes a text of what is known. */
export type BindText = (state: State) => Bound

/** A value's form at its place, null for one that cannot stand there. */
export type Shape = (text: string) => string | null

/** Compiles text with references in it, each value in the form that `shape` gives it. */
export function compileText(
  pieces: readonly Piece[],
  names: Names,
  shape: Shape,
  literal: (text: string) => string = (text) => text,
): BindText {
  const parts = pieces.map((piece) => {
    return typeof piece === 'string' ? { text: literal(piece) } : { bind: compileValue(piece, names, shape) }
  })
  return (state) => {
    let text = ''
    for (const part of parts) {
      if ('text' in part) {
        text += part.text
        continue
      }
      const bound = part.bind(state)
      if (typeof bound !== 'string') return bound
      text += bound
    }
    return text
  }
}

function compileValue(ref: Ref, names: Names, shape: Shape): BindText {
  const read = reader(ref, names, false)
  const none = missing(ref, names)
  return (state) => {
    const value = read(state) ?? null
    if (value === null) return ref.optional ? null : none
    // CR, LF and NUL are refused even where they would be encoded: nobody sends them to a good end.
    if (typeof value === 'object' || (typeof value === 'string' && /[\r\n\0]/.test(value))) return none
    return shape(String(value)) ?? none
  }
}

/** Makes the failure of a call that has no usable value for a reference. */
export function missing(ref: Ref, names: Names): Failure {
  return { ...failure('bind_missing', `{${ref.text}} cannot be bound`), from: giverOf(ref, names), ref: ref.text }
}
