import { type BigIntStats, globSync, readFileSync, statSync } from 'node:fs'
import { glob, stat } from 'node:fs/promises'

/** What a file holds, or why that cannot be known. */
export type Text = { readonly text: string } | { readonly why: string }

/** Reads a file as text. */
export type Read = (file: string) => Text

/** Lists the files of a folder that match a pattern, in order. */
export type List = (pattern: string, folder: string) => string[]

/** One thing that was looked at on disk: a stamp of how it was then, and how to find out how it is now. */
export interface Sight {
  readonly stamp: string
  readonly look: () => Promise<string>
}

/** The disk as one reading of a config sees it. */
export interface Disk {
  readonly read: Read
  readonly list: List
  /** Every file that was asked for. */
  readonly files: ReadonlySet<string>
  /** All that was looked at, files that are not there among it: when one of them is another, so may the config be. */
  readonly sights: readonly Sight[]
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  ENOTDIR: 'no such file',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EISDIR: 'it is a directory',
}

/** Opens the disk for one reading of a config. */
export function openDisk(): Disk {
  const files = new Set<string>()
  const sights: Sight[] = []
  return {
    files,
    sights,
    read(file) {
      if (!files.has(file)) sights.push({ stamp: stampNow(file), look: () => stampLater(file) })
      files.add(file)
      try {
        return { text: readFileSync(file, 'utf8') }
      } catch (error) {
        const { code = 'unknown error' } = error as NodeJS.ErrnoException
        return { why: REASONS[code] ?? code }
      }
    },
    list(pattern, cwd) {
      const found = globSync(pattern, { cwd }).sort()
      const look = async (): Promise<string> => (await Array.fromAsync(glob(pattern, { cwd }))).sort().join('\0')
      sights.push({ stamp: found.join('\0'), look })
      return found
    },
  }
}

const absent = 'absent'

// Taken before the file is read: a change in between is then found, if once too often.
function stampNow(file: string): string {
  try {
    return stampOf(statSync(file, { bigint: true }))
  } catch {
    return absent
  }
}

function stampLater(file: string): Promise<string> {
  return stat(file, { bigint: true }).then(stampOf, () => absent)
}

/** Through links, as Kubernetes swaps them when a ConfigMap changes: it is another file then. */
function stampOf({ dev, ino, size, mtimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs].join(' ')
}
