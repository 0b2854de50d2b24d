import { crc32 } from 'node:zlib'
import type { Entry } from './store.ts'

// "OLRE": what is not ours in a place of ours is told by it.
const magic = 0x4f4c5245
/** Of the form of what is stored, the fields of an entry among it: whoever changes either gives it the next number. */
const version = 1

// magic, version, checksum of all that follows it, length of the fields, end of the time that it is kept.
const places = { magic: 0, version: 4, sum: 8, fields: 12, until: 16 } as const
const headBytes = 24

/** An entry with the moment until which it is kept, in ms since the epoch. */
export interface Enveloped {
  readonly entry: Entry
  readonly until: number
}

/** Writes an entry as bytes that can be told from any others, and from themselves cut short or changed. */
export function seal({ body, ...fields }: Entry, until: number): Buffer {
  const text = Buffer.from(JSON.stringify(fields))
  const bytes = Buffer.allocUnsafe(headBytes + text.length + body.byteLength)
  bytes.writeUInt32BE(magic, places.magic)
  bytes.writeUInt32BE(version, places.version)
  bytes.writeUInt32BE(text.length, places.fields)
  bytes.writeDoubleBE(until, places.until)
  bytes.set(text, headBytes)
  bytes.set(body, headBytes + text.length)
  bytes.writeUInt32BE(crc32(bytes.subarray(places.fields)), places.sum)
  return bytes
}

/** Reads what `seal` has written; null when it is anything else. */
export function unseal(bytes: Buffer): Enveloped | null {
  if (bytes.length < headBytes) return null
  if (bytes.readUInt32BE(places.magic) !== magic || bytes.readUInt32BE(places.version) !== version) return null
  if (bytes.readUInt32BE(places.sum) !== crc32(bytes.subarray(places.fields))) return null
  const bodyAt = headBytes + bytes.readUInt32BE(places.fields)
  const fields = JSON.parse(bytes.toString('utf8', headBytes, bodyAt)) as Omit<Entry, 'body'>
  const body = new Uint8Array(bytes.buffer, bytes.byteOffset + bodyAt, bytes.length - bodyAt)
  return { entry: { ...fields, body }, until: bytes.readDoubleBE(places.until) }
}
