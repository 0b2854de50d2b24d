import { isUtf8 } from 'node:buffer'

// Most paths are made of nothing but these, and need no second look. Each segment but the first begins with its slash:
// were the slash optional, a path could be split in 2^n ways, and one of 40 letters would hold the loop for hours.
const plain = /^\/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]+(?:\/[A-Za-z0-9\-._~!$&'()*+,;=:@]+)*\/?)?$/
const dotSegment = /(?:^|\/)\.{1,2}(?:\/|$)/
const unreserved = /[A-Za-z0-9\-._~]/

/**
 * Brings a path into the one form in which it is both matched and sent on: unreserved characters plain, all other
 * escapes in upper case (RFC 3986 §6.2.2). Null for a path that two programs could read differently: dot segments,
 * empty segments, encoded slashes, backslashes or NUL, broken escapes, bytes that are not UTF-8.
 */
export function normalPath(path: string): string | null {
  if (plain.test(path) && !dotSegment.test(path)) return path
  if (!path.startsWith('/') || /[^\x21-\x7e]/.test(path) || /[\\#]/.test(path)) return null
  if (/%(?![0-9A-Fa-f]{2})/.test(path) || /%(?:2f|5c|00)/i.test(path)) return null
  const normal = path
    .replace(/%[0-9A-Fa-f]{2}/g, (escape) => {
      const character = String.fromCharCode(Number.parseInt(escape.slice(1), 16))
      return unreserved.test(character) ? character : escape.toUpperCase()
    })
    .replace(/["<>^`{|}]/g, (character) => encodeURIComponent(character))
  if (normal.includes('//') || dotSegment.test(normal)) return null
  return isUtf8(bytesOf(normal)) ? normal : null
}

function bytesOf(path: string): Buffer {
  return Buffer.from(
    path.replace(/%([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  )
}
