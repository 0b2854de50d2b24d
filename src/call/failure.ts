import type { Outcome, Reply } from './call.ts'

interface Kind {
  /** The status that a client is answered with when this failure decides. */
  readonly status: number
  /** Whether another attempt may help, where the call may be made again. */
  readonly again?: true
  /** Whether it is our own doing, and says nothing of the upstream. */
  readonly ours?: true
  /** Whether the upstream did answer, be it with what we cannot take: another request may fare well. */
  readonly answered?: true
  /** One sentence for the problem document: what went wrong, seen from the client. */
  readonly says: string
}

/**
 * Every way in which a call or a request can fail: one name for the union member, `Proxy-Status`, `error.type`,
 * the metric label and the log field. Names are RFC 9209's error types where one fits, else ours.
 */
const kinds = {
  connection_refused: { status: 502, again: true, says: 'an upstream refused the connection' },
  connection_terminated: { status: 502, again: true, says: 'an upstream closed the connection before it answered' },
  connection_timeout: { status: 504, again: true, says: 'no connection to an upstream could be made in time' },
  connection_limit_reached: { status: 503, ours: true, says: 'too many calls are under way to an upstream' },
  destination_unavailable: { status: 503, ours: true, says: 'an upstream is known to be failing' },
  dns_error: { status: 502, again: true, says: 'the name of an upstream could not be resolved' },
  dns_timeout: { status: 504, again: true, says: 'the name of an upstream could not be resolved in time' },
  tls_certificate_error: { status: 502, says: 'the certificate of an upstream is not valid' },
  tls_protocol_error: { status: 502, again: true, says: 'no secure connection to an upstream could be made' },
  http_protocol_error: { status: 502, again: true, says: 'an upstream broke the HTTP protocol' },
  http_upgrade_failed: { status: 502, says: 'an upstream switched protocols unasked' },
  http_response_incomplete: { status: 502, says: 'an upstream broke off in the middle of its reply' },
  http_response_timeout: { status: 504, again: true, says: 'an upstream did not answer in time' },
  http_response_body_size: { status: 502, answered: true, says: 'the reply of an upstream is too large' },
  http_response_header_section_size: {
    status: 502,
    answered: true,
    says: 'the header section of an upstream reply is too large',
  },
  http_response_transfer_coding: { status: 502, says: 'an upstream used a transfer coding that is not supported' },
  http_response_content_coding: { status: 502, answered: true, says: 'the reply of an upstream could not be decoded' },
  invalid_body: { status: 502, answered: true, says: 'the reply of an upstream is not valid JSON' },
  unaccepted_status: { status: 502, says: 'an upstream answered with an error status' },
  bind_missing: { status: 502, ours: true, says: 'a value that a call needs is missing' },
  overloaded: { status: 503, ours: true, says: 'the gateway is overloaded' },
  not_cached: { status: 504, ours: true, says: 'the request is to be answered from the cache, which has no answer' },
  transform_error: { status: 500, ours: true, says: 'the response could not be made' },
  proxy_internal_error: { status: 500, ours: true, says: 'the gateway failed' },
  /** Never answered to anyone: the client left, or the answer was decided without this call. 499 as in nginx's log. */
  cancelled: { status: 499, ours: true, says: 'the request was cancelled' },
} as const satisfies Record<string, Kind>

/** What is to be known of each way to fail. */
export const failures: Readonly<Record<FailureName, Kind>> = kinds

/** The name of a way to fail. */
export type FailureName = keyof typeof kinds

/** Why a call has no reply: a value that is passed along, never thrown. */
export interface Failure {
  readonly ok: false
  readonly error: FailureName
  /** What an operator reads in the log; a client never sees it, since it may name a next hop. */
  readonly detail?: string
  /** Whether nothing of the call was sent: it may be made again whatever its method. */
  readonly unsent?: boolean
  /** Whether there was so little time for the call that its failure says nothing of the upstream. */
  readonly hurried?: true
  /** With `destination_unavailable`: how long it is of no use to ask again. */
  readonly retryAfterMs?: number
  /** How often the call was sent again before this became its outcome. */
  readonly resent?: number
  /** With `unaccepted_status`: the reply that was not accepted, its body left out. */
  readonly reply?: Reply
  /** With `bind_missing`: whose value was missing, and the reference that had none. */
  readonly from?: 'client' | 'reply'
  readonly ref?: string
  /** With a failed `each`: how many items failed. */
  readonly items?: number
}

/** Makes a failure of the given name. */
export function failure(error: FailureName, detail?: string): Failure {
  return detail === undefined ? { ok: false, error } : { ok: false, error, detail }
}

/**
 * The status that a client is answered with when a failure decides. An upstream's own 4xx passes as it is, as do
 * 429 and 503; 407 does not, since it speaks of a proxy between us and the upstream.
 */
export function statusOf(why: Failure): number {
  if (why.error === 'bind_missing') return why.from === 'client' ? 400 : 502
  const received = why.reply?.status ?? 0
  if (received === 503 || (received >= 400 && received < 500 && received !== 407)) return received
  return failures[why.error].status
}

/**
 * What an outcome says of the endpoint that it came from. An overload is no failure of it: it answered, and asks for
 * less (behaviour.md U25). Of our own refusals, and of calls that were given up, nothing is known.
 */
export function verdictOf(outcome: Outcome): 'good' | 'bad' | 'overload' | 'unknown' {
  const reply = outcome.ok ? outcome : outcome.reply
  if (reply === undefined) {
    const { error, hurried } = outcome as Failure
    const { ours, answered } = failures[error]
    return ours === true || hurried === true ? 'unknown' : answered === true ? 'good' : 'bad'
  }
  const { status, headers } = reply
  if (status === 429 || (status === 503 && headers['retry-after'] !== undefined)) return 'overload'
  return status >= 500 ? 'bad' : 'good'
}
