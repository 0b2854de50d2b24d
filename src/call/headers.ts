/**
 * Fields that belong to one connection and are never passed on (RFC 9110 §7.6.1), with the older ones that
 * proxies treat alike.
 */
export const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
])

/** Lists the field names that a `Connection` field names, in lower case: they too belong to one connection. */
export function connectionOptions(value: string | undefined): string[] {
  if (value === undefined) return []
  return value
    .split(',')
    .map((option) => option.trim().toLowerCase())
    .filter((option) => option !== '')
}

/** Whether a field value can stand in a header: no CR, LF or NUL, no other control, nothing past Latin-1. */
export function isFieldValue(value: string): boolean {
  return !/[^\t\x20-\x7e\x80-\xff]/.test(value)
}
