const safe: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

/** Whether a call may change what it is made to, so that what is stored of it is in doubt (RFC 9111 §4.4). */
export function isUnsafe(method: string): boolean {
  return !safe.has(method)
}

/**
 * Gives the path of a Location or Content-Location, if it is of one of the given hosts; null for any other. `path` is
 * that of the call, which a relative one is relative to.
 */
export function pathOf(location: string | undefined, path: string, hosts: readonly string[]): string | null {
  if (location === undefined) return null
  const url = URL.parse(location, `http://same.invalid${path}`)
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) return null
  return url.host === 'same.invalid' || hosts.includes(url.host) ? url.pathname + url.search : null
}
