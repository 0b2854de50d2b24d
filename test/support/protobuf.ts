/** The fields of a protobuf message by number: a whole number, or bytes, of those of a fixed width too. */
export type Message = ReadonlyMap<number, readonly (bigint | Buffer)[]>

/** Takes a message apart as the wire format has it; what the fields mean is the reader's to know. */
export function messageOf(bytes: Buffer): Message {
  const fields = new Map<number, (bigint | Buffer)[]>()
  let at = 0
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++]
      if (byte === undefined) throw new Error('a varint does not end')
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }
  const take = (length: number): Buffer => {
    if (at + length > bytes.length) throw new Error('a field is longer than its message')
    at += length
    return bytes.subarray(at - length, at)
  }
  const read: Readonly<Record<number, () => bigint | Buffer>> = {
    0: varint,
    1: () => take(8),
    2: () => take(Number(varint())),
    5: () => take(4),
  }
  while (at < bytes.length) {
    const tag = Number(varint())
    const value = read[tag & 7]
    if (value === undefined) throw new Error(`no such wire type: ${tag & 7}`)
    fields.set(tag >> 3, [...(fields.get(tag >> 3) ?? []), value()])
  }
  return fields
}

/** Gives the messages that lie in a field. */
export function messages(message: Message, field: number): Message[] {
  return (message.get(field) ?? []).map((bytes) => messageOf(bytes as Buffer))
}

/** Gives what a field holds, of several the last; undefined where there is none. */
export function bytes(message: Message, field: number): Buffer | undefined {
  return message.get(field)?.at(-1) as Buffer | undefined
}

export function text(message: Message, field: number): string {
  return bytes(message, field)?.toString('utf8') ?? ''
}

export function whole(message: Message, field: number): number {
  return Number(message.get(field)?.at(-1) ?? 0)
}

export function double(message: Message, field: number): number | undefined {
  return bytes(message, field)?.readDoubleLE()
}

/** Reads numbers of 8 bytes that stand one behind the other. */
export function packed<T>(message: Message, field: number, read: (bytes: Buffer, at: number) => T): T[] {
  const all = bytes(message, field) ?? Buffer.alloc(0)
  return Array.from({ length: all.length / 8 }, (_, i) => read(all, i * 8))
}
