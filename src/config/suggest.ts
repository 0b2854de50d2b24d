import { distance } from 'fastest-levenshtein'

/** Says `; did you mean "…"?` where one of the known words is near, else nothing. */
export function suggest(word: string, known: Iterable<string>): string {
  const near = [...known]
    .map((one) => ({ one, apart: apart(word.toLowerCase(), one.toLowerCase()) }))
    // A third of the letters may be wrong: beyond that a suggestion is a guess.
    .filter((candidate) => candidate.apart <= Math.max(1, Math.floor(word.length / 3)))
    .sort((a, b) => a.apart - b.apart)[0]
  return near === undefined ? '' : `; did you mean "${near.one}"?`
}

/** Letters that have changed places are one slip, and the first letter is the one that few get wrong. */
function apart(word: string, known: string): number {
  const slips = sorted(word) === sorted(known) ? Math.min(1, distance(word, known)) : distance(word, known)
  return word[0] === known[0] ? slips - 0.5 : slips
}

function sorted(word: string): string {
  return word.split('').sort().join('')
}
