import { closest, distance } from 'fastest-levenshtein'

/** Says `; did you mean "…"?` where one of the known words is near, else nothing. */
export function suggest(word: string, known: Iterable<string>): string {
  const words = [...known]
  if (words.length === 0) return ''
  const near = closest(
    word.toLowerCase(),
    words.map((one) => one.toLowerCase()),
  )
  const best = words.find((one) => one.toLowerCase() === near) as string
  // A third of the letters may be wrong: more, and the suggestion is a guess.
  return distance(word.toLowerCase(), near) <= Math.max(1, Math.floor(word.length / 3))
    ? `; did you mean "${best}"?`
    : ''
}
