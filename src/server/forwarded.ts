import type { IncomingMessage } from 'node:http'
import { BlockList, isIPv6 } from 'node:net'

/** What is told to upstreams of the client: `for`, `host` and `proto` (RFC 7239 and the fields it replaces). */
export type Forwarded = (incoming: IncomingMessage) => string[]

/**
 * Tells upstreams who the client is. What a client says of itself is overwritten, unless it is one of the trusted
 * proxies (addresses or CIDR blocks): then our word is added to theirs.
 */
export function forwardedBy(trustedProxies: readonly string[]): Forwarded {
  const trusted = new BlockList()
  for (const proxy of trustedProxies) {
    const [address = '', bits] = proxy.split('/')
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    if (bits === undefined) trusted.addAddress(address, family)
    else trusted.addSubnet(address, Number(bits), family)
  }
  return ({ headers, socket }) => {
    const peer = plainAddress(socket.remoteAddress ?? 'unknown')
    const believed = trusted.check(peer, isIPv6(peer) ? 'ipv6' : 'ipv4')
    const before = (name: string): string | undefined => (believed ? headers[name]?.toString() : undefined)
    const host = headers.host ?? ''
    const proto = 'encrypted' in socket ? 'https' : 'http'
    const node = isIPv6(peer) ? `"[${peer}]"` : peer
    return [
      'x-forwarded-for',
      joined(before('x-forwarded-for'), peer),
      'x-forwarded-host',
      before('x-forwarded-host') ?? host,
      'x-forwarded-proto',
      before('x-forwarded-proto') ?? proto,
      'forwarded',
      joined(before('forwarded'), `for=${node};host="${host}";proto=${proto}`),
      'x-real-ip',
      before('x-real-ip') ?? peer,
      ...['x-forwarded-port', 'x-forwarded-prefix'].flatMap((name) => {
        const value = before(name)
        return value === undefined ? [] : [name, value]
      }),
    ]
  }
}

// An IPv4 client of a dual-stack socket shows as ::ffff:192.0.2.1.
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address
}

function joined(before: string | undefined, ours: string): string {
  return before === undefined || before === '' ? ours : `${before}, ${ours}`
}
