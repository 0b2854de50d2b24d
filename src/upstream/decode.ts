import { type InputType, brotliDecompress, gunzip, inflate, zstdDecompress } from 'node:zlib'
import type { ReplyHeaders } from '../call/call.ts'

type Decoder = (
  body: InputType,
  options: { maxOutputLength: number },
  done: (error: Error | null, result: Buffer) => void,
) => void

const decoders: Readonly<Record<string, Decoder>> = {
  gzip: gunzip,
  'x-gzip': gunzip,
  deflate: inflate,
  br: brotliDecompress,
  zstd: zstdDecompress,
}

/** Names the content coding of a reply, or null when it has none. */
export function contentCoding(headers: ReplyHeaders): string | null {
  const coding = String(headers['content-encoding'] ?? '')
    .trim()
    .toLowerCase()
  return coding === '' || coding === 'identity' ? null : coding
}

/**
 * Undoes one content coding, off the loop, and gives null for a body that is broken, past `maxBytes` when decoded,
 * or coded in a way (several at once among them) that is not known: stacked codings are how bombs are built.
 */
export function decode(coding: string, body: Uint8Array, maxBytes: number): Promise<Uint8Array | null> {
  const decoder = Object.hasOwn(decoders, coding) ? decoders[coding] : undefined
  if (decoder === undefined) return Promise.resolve(null)
  return new Promise((resolve) => {
    decoder(body, { maxOutputLength: maxBytes }, (error, result) => resolve(error === null ? result : null))
  })
}
