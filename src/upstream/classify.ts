import { type Failure, type FailureName, failure } from '../call/failure.ts'
import type { ReplyHeaders } from '../call/call.ts'

const byCode: Readonly<Record<string, FailureName>> = {
  ECONNREFUSED: 'connection_refused',
  EHOSTUNREACH: 'connection_refused',
  ENETUNREACH: 'connection_refused',
  EHOSTDOWN: 'connection_refused',
  ENETDOWN: 'connection_refused',
  ENOENT: 'connection_refused',
  ETIMEDOUT: 'connection_timeout',
  UND_ERR_CONNECT_TIMEOUT: 'connection_timeout',
  ENOTFOUND: 'dns_error',
  EAI_AGAIN: 'dns_error',
  EAI_FAIL: 'dns_error',
  EAI_NODATA: 'dns_error',
  ECONNRESET: 'connection_terminated',
  ECONNABORTED: 'connection_terminated',
  EPIPE: 'connection_terminated',
  // Of ports for connections of our own.
  EADDRNOTAVAIL: 'overloaded',
  EMFILE: 'overloaded',
  ENFILE: 'overloaded',
  EPROTO: 'tls_protocol_error',
  ERR_TLS_CERT_ALTNAME_INVALID: 'tls_certificate_error',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'tls_certificate_error',
  SELF_SIGNED_CERT_IN_CHAIN: 'tls_certificate_error',
  UNABLE_TO_GET_ISSUER_CERT: 'tls_certificate_error',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'tls_certificate_error',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'tls_certificate_error',
  HOSTNAME_MISMATCH: 'tls_certificate_error',
  INVALID_CA: 'tls_certificate_error',
  INVALID_PURPOSE: 'tls_certificate_error',
  // A stream of HTTP/2 that ended before its reply did, or a connection that a peer is about to close.
  UND_ERR_INFO: 'connection_terminated',
  UND_ERR_HEADERS_OVERFLOW: 'http_response_header_section_size',
  // undici asserts where a peer breaks the protocol: status 099 and an unasked 101 come so.
  ERR_ASSERTION: 'http_protocol_error',
}

const byPrefix: readonly (readonly [string, FailureName])[] = [
  ['ERR_HTTP2_', 'http_protocol_error'],
  ['CERT_', 'tls_certificate_error'],
  ['CRL_', 'tls_certificate_error'],
  ['ERR_SSL_', 'tls_protocol_error'],
  ['ERR_TLS_', 'tls_protocol_error'],
]

/** Turns what undici reports into a failure; `begun` tells whether the head of a reply had come. */
export function classify(error: Error & { code?: string }, begun: boolean): Failure {
  const name = nameOf(error, begun)
  // What breaks off after the head is an incomplete reply, whatever the socket calls it.
  const broken = begun && name === 'connection_terminated'
  return failure(broken ? 'http_response_incomplete' : name, error.message)
}

function nameOf(error: Error & { code?: string }, begun: boolean): FailureName {
  const code = error.code ?? ''
  // undici leaves the parser's errors without a code; of their texts only this one is about a body that broke off.
  if (error.name === 'HTTPParserError') {
    return error.message.includes('Invalid EOF state') ? 'http_response_incomplete' : 'http_protocol_error'
  }
  // Also how undici tells of any fault in a head that has a length, since none of its body has come then.
  if (code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') return begun ? 'http_response_incomplete' : 'http_protocol_error'
  if (code === 'UND_ERR_SOCKET') {
    if (error.message === 'bad upgrade') return 'http_upgrade_failed'
    return error.message === 'bad response' ? 'http_protocol_error' : 'connection_terminated'
  }
  const known = byCode[code] ?? byPrefix.find(([prefix]) => code.startsWith(prefix))?.[1]
  return known ?? (begun ? 'http_response_incomplete' : 'proxy_internal_error')
}

/** Finds what is wrong with a reply's head that undici lets pass; null when nothing is. */
export function judgeHead(status: number, headers: ReplyHeaders, fields: number, maxFields: number): Failure | null {
  // Checked here because the parser takes any three digits for a status.
  if (status > 599) return failure('http_protocol_error', `status ${status}`)
  if (fields > maxFields) return failure('http_response_header_section_size', `${fields} header fields`)
  const coding = headers['transfer-encoding']
  if (coding !== undefined && (typeof coding !== 'string' || coding.trim().toLowerCase() !== 'chunked')) {
    return failure('http_response_transfer_coding', `transfer coding ${String(coding)}`)
  }
  return null
}
