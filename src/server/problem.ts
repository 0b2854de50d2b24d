import { STATUS_CODES } from 'node:http'
import { type Failure, failures, statusOf } from '../call/failure.ts'
import type { Missing } from '../plan/missing.ts'

/** An error answer of the gateway's own. */
export interface Problem {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What is wrong with a client's request. */
export interface Refusal {
  readonly status: number
  readonly detail: string
  /** Fields that belong to the status, as `allow` does to 405. */
  readonly headers?: Readonly<Record<string, string>>
  /** Whether the connection cannot be used again, since what follows on it is not known. */
  readonly closes?: boolean
  /** Where in the request's body the fault lies, as JSON pointers. */
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[]
}

/** Makes the answer to a request that is at fault itself. */
export function refusalProblem(refusal: Refusal, requestId: string): Problem {
  const { status, detail, errors, headers = {} } = refusal
  const proxyStatus = { 'proxy-status': `oneloop;error=${proxyErrorOf(refusal)}` }
  return problem(status, requestId, { detail, ...(errors && { errors }) }, { ...proxyStatus, ...headers })
}

/** Names a refusal by RFC 9209: a request is at fault in its form, or it is not allowed. */
export function proxyErrorOf({ status }: Refusal): string {
  return status === 404 || status === 405 || status === 413 ? 'http_request_denied' : 'http_request_error'
}

/**
 * Makes the answer to a request that failed, of all that went wrong `decisive` being what decided. No next hop is
 * named: what an operator needs is in the log, under the request's id.
 */
export function failureProblem(decisive: Missing, others: readonly Missing[], requestId: string): Problem {
  const { failure } = decisive
  const status = statusOf(failure)
  const retryAfter = retryAfterOf(failure)
  const headers = {
    'proxy-status': `oneloop;${causeOf(failure)}`,
    ...(retryAfter !== null && (status === 429 || status === 503) ? { 'retry-after': retryAfter } : {}),
  }
  const errors = [decisive, ...others.filter(({ step }) => step !== decisive.step)].map(({ step, failure: one }) => ({
    step,
    error: one.error,
    ...(one.reply && { receivedStatus: one.reply.status }),
    ...(one.ref !== undefined && { reference: one.ref }),
  }))
  return problem(status, requestId, { detail: detailOf(decisive), error: failure.error, errors }, headers)
}

function retryAfterOf({ reply, retryAfterMs }: Failure): string | null {
  if (retryAfterMs !== undefined) return String(Math.ceil(retryAfterMs / 1_000))
  const field = reply?.headers['retry-after']
  return typeof field === 'string' ? field : null
}

function causeOf(failure: Failure): string {
  return failure.reply ? `received-status=${failure.reply.status}` : `error=${failure.error}`
}

function detailOf({ step, failure }: Missing): string {
  const about = step === '' ? '' : ` (${step})`
  if (failure.error === 'bind_missing' && failure.ref !== undefined) {
    const whose = failure.from === 'client' ? 'the request gives no usable' : 'a reply gives no usable'
    return `${whose} value for {${failure.ref}}${about}`
  }
  return `${failures[failure.error].says}${about}`
}

function problem(status: number, requestId: string, members: object, headers: Record<string, string>): Problem {
  const title = STATUS_CODES[status] ?? 'Error'
  return {
    status,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      'x-request-id': requestId,
      ...headers,
    },
    // RFC 9457: "about:blank" says that the title is the status's own.
    body: JSON.stringify({ type: 'about:blank', title, status, ...members, requestId }),
  }
}
