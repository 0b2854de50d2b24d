import { type RemoteInfo, createSocket } from 'node:dgram'
import type { SrvRecord } from 'node:dns'
import { Resolver } from 'node:dns/promises'
import { once } from 'node:events'
import { isIP } from 'node:net'

/** What a name stands for: addresses or services; or a server that fails, or is silent until it knows otherwise. */
export type Records = readonly (string | SrvRecord)[] | 'SERVFAIL' | 'silent'

/** A DNS server of the test's own, and ways to ask it as Node asks its own. */
export interface Dns extends AsyncDisposable {
  /** Changes what it knows, and answers those who still wait for it. A name that was never set does not exist. */
  readonly set: (name: string, records: Records) => void
  readonly lookup: (name: string) => Promise<{ address: string }[]>
  readonly resolveSrv: (name: string) => Promise<SrvRecord[]>
}

const types = { A: 1, AAAA: 28, SRV: 33 } as const
const codes = { none: 0, SERVFAIL: 2, NXDOMAIN: 3 } as const

/** Starts a DNS server (RFC 1035, RFC 2782) on a UDP port of 127.0.0.1; it ends with `await using`. */
export async function startDns(known: Readonly<Record<string, Records>>): Promise<Dns> {
  const names = new Map(Object.entries(known))
  const socket = createSocket('udp4')
  let waiting: (() => void)[] = []
  const reply = (query: Buffer, peer: RemoteInfo): void => {
    const answer = answerTo(query, names)
    if (answer === null) waiting.push(() => reply(query, peer))
    else socket.send(answer, peer.port, peer.address)
  }
  socket.on('message', reply)
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  // One try, of any length: when a lookup has taken too long is for the one who is tested to say.
  const resolver = new Resolver({ tries: 1, timeout: 60_000 })
  resolver.setServers([`127.0.0.1:${socket.address().port}`])
  return {
    set(name, records) {
      names.set(name, records)
      const asked = waiting
      waiting = []
      for (const again of asked) again()
    },
    async lookup(name) {
      const found = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)])
      const addresses = found.flatMap((one) => (one.status === 'fulfilled' ? one.value : []))
      if (addresses.length === 0) throw (found[0] as PromiseRejectedResult).reason
      return addresses.map((address) => ({ address }))
    },
    resolveSrv: (name) => resolver.resolveSrv(name),
    async [Symbol.asyncDispose]() {
      resolver.cancel()
      const closed = once(socket, 'close')
      socket.close()
      await closed
    },
  }
}

function answerTo(query: Buffer, names: ReadonlyMap<string, Records>): Buffer | null {
  const labels: string[] = []
  let at = 12
  for (let length = query[at] as number; length > 0; length = query[at] as number) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  const type = query.readUInt16BE(at + 1)
  const found = names.get(labels.join('.').toLowerCase()) ?? 'NXDOMAIN'
  if (found === 'silent') return null
  const records = typeof found === 'string' ? [] : found.filter((one) => typeOf(one) === type)
  const question = query.subarray(12, at + 5)
  const code = typeof found === 'string' ? codes[found] : codes.none
  const counts = [1, records.length, 0, 0]
  // A response, authoritative, to a question that wished for recursion, which is available.
  const head = Buffer.concat([query.subarray(0, 2), ...[0x8580 | code, ...counts].map(uint16)])
  return Buffer.concat([head, question, ...records.map(recordOf)])
}

function typeOf(record: string | SrvRecord): number {
  if (typeof record !== 'string') return types.SRV
  return isIP(record) === 4 ? types.A : types.AAAA
}

function recordOf(record: string | SrvRecord): Buffer {
  const data = typeof record === 'string' ? addressOf(record) : serviceOf(record)
  const pointerToName = uint16(0xc00c)
  return Buffer.concat([pointerToName, ...[typeOf(record), 1, 0, 0, data.length].map(uint16), data])
}

function addressOf(ip: string): Buffer {
  if (isIP(ip) === 4) return Buffer.from(ip.split('.').map(Number))
  const [head = '', tail = ''] = ip
    .split('::')
    .map((part) => part.split(':').filter(Boolean))
    .map(groups)
  return Buffer.concat([
    Buffer.from(head, 'hex'),
    Buffer.alloc(16 - (head.length + tail.length) / 2),
    Buffer.from(tail, 'hex'),
  ])
}

function groups(parts: readonly string[]): string {
  return parts.map((part) => part.padStart(4, '0')).join('')
}

function serviceOf({ priority, weight, port, name }: SrvRecord): Buffer {
  const labels = name.split('.').filter(Boolean)
  const coded = labels.flatMap((label) => [Uint8Array.of(label.length), Buffer.from(label, 'latin1')])
  return Buffer.concat([...[priority, weight, port].map(uint16), ...coded, Uint8Array.of(0)])
}

function uint16(value: number): Buffer {
  return Buffer.of(value >> 8, value & 0xff)
}
