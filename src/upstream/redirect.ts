import type { Call, Layer, Outcome } from '../call/call.ts'

/**
 * Follows up to `most` redirects within the endpoint's own origin (RFC 9110 §15.4), so that no credential ever
 * reaches another; any other redirect stays what it is, a status that was not accepted.
 */
export function redirect(origin: string, most: number): Layer {
  return (next) => async (call, scope) => {
    let made = call
    let outcome = await next(made, scope)
    for (let hop = 0; hop < most; hop++) {
      const onward = follow(made, outcome, origin)
      if (onward === null) break
      made = onward
      outcome = await next(made, scope)
    }
    // That the last hop was not sent does not mean that nothing was.
    if (made !== call && !outcome.ok && outcome.unsent === true) return { ...outcome, unsent: false }
    return outcome
  }
}

function follow(call: Call, outcome: Outcome, origin: string): Call | null {
  if (outcome.ok || outcome.reply === undefined) return null
  const { status, headers } = outcome.reply
  const location = headers['location']
  if (![301, 302, 303, 307, 308].includes(status) || typeof location !== 'string') return null
  const url = URL.parse(location, origin + call.path)
  if (url === null || url.origin !== origin) return null
  const path = url.pathname + url.search
  // Clients turn a POST into a GET on 301 and 302 as well as on 303; only 307 and 308 keep method and body.
  const keeps = status >= 307 || call.method === 'GET' || call.method === 'HEAD'
  if (keeps) return { ...call, path }
  return { ...call, path, method: 'GET', body: null, headers: withoutContent(call.headers) }
}

function withoutContent(headers: readonly string[]): string[] {
  return headers.filter((_, i) => !(headers[i - (i % 2)] as string).startsWith('content-'))
}
