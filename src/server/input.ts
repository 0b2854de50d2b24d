import type { IncomingMessage } from 'node:http'
import type { Trace } from '../call/trace.ts'
import type { Work } from '../call/work.ts'
import type { Input } from '../plan/plan.ts'

/** What templates may read of a request; each part is taken out when it is first asked for. */
export class RequestInput implements Input {
  readonly requestId: string
  readonly trace: Trace
  readonly work: Work
  readonly rawQuery: string
  readonly body: unknown
  readonly bodyBytes: Uint8Array | null
  readonly #headers: IncomingMessage['headers']
  readonly #param: (name: string) => string | undefined
  #query: URLSearchParams | undefined
  #cookies: ReadonlyMap<string, string> | undefined

  constructor(
    request: { readonly id: string; readonly trace: Trace; readonly work: Work },
    incoming: Pick<IncomingMessage, 'url' | 'headers'>,
    param: (name: string) => string | undefined,
    body: Uint8Array | null,
    json: unknown,
  ) {
    this.requestId = request.id
    this.trace = request.trace
    this.work = request.work
    this.#headers = incoming.headers
    this.#param = param
    const { url = '' } = incoming
    const at = url.indexOf('?')
    this.rawQuery = at === -1 ? '' : url.slice(at + 1)
    this.bodyBytes = body
    this.body = json
  }

  param(name: string): string | undefined {
    return this.#param(name)
  }

  query(name: string): string | undefined {
    if (this.rawQuery === '') return undefined
    this.#query ??= new URLSearchParams(this.rawQuery)
    return this.#query.get(name) ?? undefined
  }

  header(name: string): string | undefined {
    // Not what JavaScript adds to objects: {headers.constructor}
    const value = Object.hasOwn(this.#headers, name) ? this.#headers[name] : undefined
    return typeof value === 'object' ? value.join(', ') : value
  }

  cookie(name: string): string | undefined {
    this.#cookies ??= cookiesOf(this.header('cookie') ?? '')
    return this.#cookies.get(name)
  }
}

function cookiesOf(header: string): Map<string, string> {
  const found = new Map<string, string>()
  for (const pair of header.split(';')) {
    const at = pair.indexOf('=')
    const name = pair.slice(0, at).trim()
    if (at > 0 && !found.has(name)) found.set(name, pair.slice(at + 1).trim())
  }
  return found
}
