import type { Sight } from './disk.ts'

// A file that is written bit by bit, or one of several that change together, is let come to rest in between.
const everyMs = 500

/**
 * Watches what a config was read from, and tells when it is another and has been so for two looks. It looks rather than
 * being told by the system, which says nothing of what lies behind a link, as a ConfigMap of Kubernetes does, nor of
 * files on a network. Gives what stops that.
 */
export function watch(sights: () => readonly Sight[], changed: () => void): () => void {
  let before = ''
  let told = ''
  let timer: NodeJS.Timeout
  let stopped = false

  const look = async (): Promise<void> => {
    const looked = sights()
    const now = (await Promise.all(looked.map((sight) => sight.look()))).join('\n')
    // It was read anew meanwhile: what was found is compared with what is no longer there.
    if (looked === sights()) {
      const known = looked.map(({ stamp }) => stamp).join('\n')
      if (now === known) told = ''
      else if (now === before && now !== told) {
        told = now
        changed()
      }
      before = now
    }
    if (!stopped) timer = setTimeout(() => void look(), everyMs).unref()
  }

  timer = setTimeout(() => void look(), everyMs).unref()
  return () => {
    stopped = true
    clearTimeout(timer)
  }
}
