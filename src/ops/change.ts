import { createHash, timingSafeEqual } from 'node:crypto'
import { BlockList, isIP } from 'node:net'
import { getConnInfo } from '@hono/node-server/conninfo'
import type { Context, MiddlewareHandler } from 'hono'
import { problem } from './problem.ts'

/**
 * Lets through who may change things: whoever shows the token, or without one whoever comes from this machine. A page in
 * a browser on this machine comes from there as well, whosever page it is: what another site sends is refused.
 */
export function mayChange(token: string): MiddlewareHandler {
  const refusalOf = token === '' ? (c: Context) => strange(c) : (c: Context) => unproven(c, token)
  return async (c, next) => refusalOf(c) ?? (await next())
}

function unproven(c: Context, token: string): Response | undefined {
  const [, shown] = /^bearer +(\S+) *$/i.exec(c.req.header('authorization') ?? '') ?? []
  if (shown !== undefined && isSame(shown, token)) return undefined
  const error = shown === undefined ? '' : ', error="invalid_token"'
  const headers = { 'www-authenticate': `Bearer realm="oneloop"${error}` }
  const detail = 'changes need "Authorization: Bearer" with the token that the config has as ops.token'
  return problem(401, detail, { headers })
}

/** Compares in a time that tells nothing of where two texts differ, nor of how long the right one is. */
function isSame(shown: string, right: string): boolean {
  const [a, b] = [shown, right].map((text) => createHash('sha256').update(text).digest()) as [Buffer, Buffer]
  return timingSafeEqual(a, b)
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')
loopback.addSubnet('::ffff:127.0.0.0', 104, 'ipv6')

function strange(c: Context): Response | undefined {
  const { address = '' } = getConnInfo(c).remote
  const version = isIP(address)
  if (version === 0 || !loopback.check(address, version === 4 ? 'ipv4' : 'ipv6')) {
    return problem(403, 'without ops.token in the config changes are taken from loopback only')
  }
  const { host, hostname } = new URL(c.req.url)
  const origin = c.req.header('origin')
  // A name may have been made to point here for the sake of a page that was loaded by it.
  const isOwn = (origin === undefined || origin === `http://${host}`) && isOfMachine(hostname)
  return isOwn ? undefined : problem(403, 'without ops.token in the config changes are taken from no other site')
}

function isOfMachine(hostname: string): boolean {
  return hostname === 'localhost' || isIP(hostname.replace(/^\[|\]$/g, '')) !== 0
}
