import { readFileSync } from 'node:fs'

/** What a file holds, or why that cannot be known. */
export type Text = { readonly text: string } | { readonly why: string }

/** Reads a file as text. */
export type Read = (file: string) => Text

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  ENOTDIR: 'no such file',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EISDIR: 'it is a directory',
}

/** A reader that adds every file it is asked for to `files`. */
export function reader(files: Set<string>): Read {
  return (file) => {
    files.add(file)
    try {
      return { text: readFileSync(file, 'utf8') }
    } catch (error) {
      const { code = 'unknown error' } = error as NodeJS.ErrnoException
      return { why: REASONS[code] ?? code }
    }
  }
}
