import { elementsOf } from './fields.ts'

/** The entity tags that a field lists, as they stand there. */
function tagsOf(line: string): string[] {
  return elementsOf(line)
}

/** Whether a tag says that bytes are the same, not only what they mean (RFC 9110 §8.8.3). */
export function isStrong(tag: string | undefined): tag is string {
  return tag !== undefined && /^"[\x21\x23-\x7e\x80-\xff]*"$/.test(tag)
}

/** Whether a tag can be sent in a conditional request. */
export function isTag(tag: string | undefined): tag is string {
  return tag !== undefined && /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"$/.test(tag)
}

/** Whether a list of If-None-Match has a tag, by the weak comparison; `*` has every one. */
export function matchesWeakly(line: string, tag: string | undefined): boolean {
  if (line.trim() === '*') return true
  if (tag === undefined) return false
  return tagsOf(line).some((one) => opaque(one) === opaque(tag))
}

function opaque(tag: string): string {
  return tag.startsWith('W/') ? tag.slice(2) : tag
}
