import type { IncomingMessage } from 'node:http'
import { connectionOptions } from '../call/headers.ts'
import { methods } from './match.ts'
import { normalPath } from './path.ts'
import type { Refusal } from './problem.ts'

/** What bounds a request's head. */
export interface HeadLimits {
  readonly headers: number
  readonly url: number
}

// A client that could have these dropped on the way would decide what upstreams believe.
const protectedFields =
  /^(?:authorization|cookie|host|content-length|transfer-encoding|forwarded|x-forwarded-.*|cache-control)$/
const authority = /^(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/
// Nearly all requests name the same host: it is looked at once.
let lastAuthority = ''

/**
 * Refuses a request that two programs on its way could read differently, and brings its target into normal form
 * (RFC 9112 §11, behaviour.md C5–C16). Null: the request is sound, and `incoming.url` is in normal form.
 */
export function guard(incoming: IncomingMessage, limits: HeadLimits): Refusal | null {
  return guardHead(incoming, limits) ?? guardFraming(incoming) ?? guardHost(incoming) ?? guardTarget(incoming)
}

function guardHead(
  { url = '', rawHeaders, method = '', headers }: IncomingMessage,
  limits: HeadLimits,
): Refusal | null {
  if (url.length > limits.url) return closing(414, `the target is longer than ${limits.url} bytes`)
  // Node drops what is past its own bound without a word, so the bound here must be the lower one.
  if (rawHeaders.length / 2 > limits.headers) return closing(431, `more than ${limits.headers} header fields`)
  if (!methods.includes(method)) {
    return { status: 501, detail: `method ${method} is not supported`, headers: { allow: methods.join(', ') } }
  }
  if (headers.connection === undefined || headers.connection === 'keep-alive') return null
  const options = connectionOptions(headers.connection)
  const named = options.find((option) => protectedFields.test(option))
  if (named !== undefined) return closing(400, `Connection must not name ${named}`)
  // They were for whoever sent them to us: no template may read them, nor do we.
  for (const option of options) delete headers[option]
  return null
}

function guardFraming({ headers, httpVersion }: IncomingMessage): Refusal | null {
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return closing(505, `HTTP/${httpVersion} is not supported here`)
  const coding = headers['transfer-encoding']
  if (coding === undefined) return null
  if (httpVersion === '1.0') return closing(400, 'HTTP/1.0 has no Transfer-Encoding')
  return coding.toLowerCase() === 'chunked' ? null : closing(501, 'the only transfer coding supported is chunked')
}

function guardHost({ rawHeaders, headers, httpVersion }: IncomingMessage): Refusal | null {
  let hosts = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    if (name.length === 4 && name.toLowerCase() === 'host') hosts++
  }
  if (hosts === 0 && httpVersion === '1.0') return null
  if (hosts !== 1) return closing(400, 'there must be one Host field')
  return isAuthority(headers.host ?? '') ? null : closing(400, 'the Host field is not valid')
}

/** Whether a host is written as all programs write it: `127.1` and `[0::1]` would be other hosts to some of them. */
function isAuthority(host: string): boolean {
  if (host === lastAuthority) return true
  const url = authority.test(host) ? URL.parse(`http://${host}`) : null
  if (url === null || url.hostname !== host.replace(/:\d+$/, '').toLowerCase()) return false
  lastAuthority = host
  return true
}

function guardTarget(incoming: IncomingMessage): Refusal | null {
  const target = originForm(incoming)
  if (typeof target !== 'string') return target
  const at = target.indexOf('?')
  const path = normalPath(at === -1 ? target : target.slice(0, at))
  if (path === null) return closing(400, 'the path is not valid')
  const query = at === -1 ? '' : target.slice(at)
  // A fragment is a matter of clients: some programs would cut it off, and others would not.
  if (/[^\x21-\x7e]|#/.test(query)) return closing(400, 'the query has characters that must be percent-encoded')
  incoming.url = path + query
  return null
}

/** Takes an absolute target apart: its authority must be that of Host, so that all speak of the same one. */
function originForm({ url = '', headers }: IncomingMessage): string | Refusal {
  if (url.startsWith('/')) return url
  const match = /^https?:\/\/([^/?#]*)(.*)$/i.exec(url)
  if (match === null) return closing(400, 'the target is neither a path nor a URL')
  const [, host = '', rest = ''] = match
  if (host.toLowerCase() !== headers.host?.toLowerCase()) return closing(400, 'the target and the Host field differ')
  return rest.startsWith('/') ? rest : `/${rest}`
}

function closing(status: number, detail: string): Refusal {
  return { status, detail, closes: true }
}
