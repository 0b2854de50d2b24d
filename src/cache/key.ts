/** Gives the key of a call as operators write it to purge: `GET users /users/7?x=1`, as in a step's `call`. */
export function keyOf(method: string, upstream: string, path: string): string {
  return `${method} ${upstream} ${path}`
}

// A path has no space in it, so nothing else of a key looks like it.
const mark = ' #'

/** Gives the key of one of several entries under a key, told apart by a word: a digest of what they vary by. */
export function variantOf(key: string, word: string): string {
  return key + mark + word
}

/** Whether an entry is the one of a key or one of its variants. */
export function isOf(key: string, entryKey: string): boolean {
  return entryKey.startsWith(key) && (entryKey.length === key.length || entryKey.startsWith(mark, key.length))
}

/** Gives the key that an entry's key is a variant of, or is itself. */
export function plainOf(entryKey: string): string {
  const at = entryKey.indexOf(mark)
  return at === -1 ? entryKey : entryKey.slice(0, at)
}
