/** Where in Redis what is kept: all of one gateway, or of several that share it, under one prefix. */
export interface Places {
  entry(key: string): string
  lease(key: string): string
  /** The keys that have a tag. */
  tag(tag: string): string
  /** The variants of a key. */
  variants(key: string): string
  /** The key of an entry's or a lease's place. */
  keyOf(place: string): string
}

/** Names the places under a prefix. */
export function placesOf(prefix: string): Places {
  const [entry, lease, tag, variants] = ['e', 'l', 't', 'v'].map((kind) => `${prefix}:${kind}:`) as [
    string,
    string,
    string,
    string,
  ]
  return {
    entry: (key) => entry + key,
    lease: (key) => lease + key,
    tag: (name) => tag + name,
    variants: (key) => variants + key,
    keyOf: (place) => place.slice(entry.length),
  }
}
