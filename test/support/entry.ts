import type { Entry, StoreMeter } from '../../src/cache/store.ts'

/** Makes an entry with a body and whatever else is to be said of it. */
export function entryOf(body: string, more: Partial<Entry> = {}): Entry {
  return {
    status: 200,
    headers: { 'content-type': 'application/json', 'x-list': ['a', 'b'] },
    body: Uint8Array.from(Buffer.from(body)),
    requestedAt: 1_764_500_000_000.5,
    receivedAt: 1_764_500_000_010.25,
    json: true,
    vary: {},
    tags: [],
    freshMs: 60_000,
    staleMs: 0,
    onErrorMs: 0,
    ...more,
  }
}

/** Shows what a store has counted. */
export function counting(): StoreMeter & { entries: number; bytes: number; evictions: number } {
  return {
    entries: 0,
    bytes: 0,
    evictions: 0,
    memory(entries, bytes) {
      Object.assign(this, { entries, bytes })
    },
    evicted() {
      this.evictions++
    },
  }
}
