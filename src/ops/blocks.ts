import type { Block } from './page/diagnosis.ts'

/** What can be seen of a data loop from outside while it is stuck. */
export interface Sight {
  /** How long it was idle in all, in ms. */
  readonly idleMs: number
  /** When its ledger was last switched, in ms since the epoch: the same to the last digit as long as it is not. */
  readonly sinceMs: number
  /** Whose work that began. */
  readonly whose: Block['whose']
}

/** What somebody who watches for blocks is told. */
export interface BlockEvents {
  /** A loop has done nothing else for longer than it may: while it still goes on. */
  blocked(loop: string): void
}

// Some minutes of a loop that is blocked each second.
const most = 100

/**
 * Watches data loops for being blocked: nothing of ours was begun or ended there for longer than `blockedMs`, and the
 * loop was not idle either. `look` is to be called several times within that time.
 */
export function blockWatch(blockedMs: number, events: BlockEvents) {
  const seen = new Map<string, { sinceMs: number; idleMs: number; block: Mutable | null }>()
  let blocks: readonly Mutable[] = []
  return {
    /** The last blocks, the latest first. */
    get blocks(): readonly Block[] {
      return blocks
    },
    look(loop: string, { idleMs, sinceMs, whose }: Sight, now: number): void {
      const before = seen.get(loop)
      const isStill = before !== undefined && before.idleMs === idleMs && before.sinceMs === sinceMs
      if (!isStill) {
        if (before?.block) end(before.block, sinceMs)
        seen.set(loop, { sinceMs, idleMs, block: null })
        return
      }
      if (now - sinceMs < blockedMs) return
      if (before.block === null) {
        before.block = { at: sinceMs, ms: now - sinceMs, over: false, whose, named: null }
        blocks = [before.block, ...blocks].slice(0, most)
        events.blocked(loop)
      }
      before.block.ms = now - sinceMs
    },
    /** Says which function a profile has found in the last block. */
    name(named: string): void {
      if (blocks[0] !== undefined) blocks[0].named ??= named
    },
  }
}

type Mutable = { -readonly [Key in keyof Block]: Block[Key] }

/** What came next began when it was over, if that is known better than by when we looked. */
function end(block: Mutable, nextMs: number): void {
  block.over = true
  block.ms = Math.max(block.ms, Math.min(nextMs - block.at, block.ms * 2))
}
