import type { Reply } from '../../src/call/call.ts'
import { failure } from '../../src/call/failure.ts'
import { unwatched } from '../../src/call/work.ts'
import { suggest } from '../../src/config/suggest.ts'
import { Out } from '../../src/plan/out.ts'
import { answered, without } from '../../src/plan/part.ts'
import type { Input, State, Template } from '../../src/plan/plan.ts'
import type { Names } from '../../src/plan/read.ts'
import { compileTemplate } from '../../src/plan/template.ts'
import { fields } from '../../src/plan/read.ts'

/** What a test says that a client sent and upstreams replied. */
export interface Given {
  readonly params?: Readonly<Record<string, string>>
  /** As it came, without `?`. */
  readonly query?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly cookies?: Readonly<Record<string, string>>
  /** The JSON text of the body. */
  readonly body?: string
  /** By step: the JSON text of its reply, or null for a step that has failed. */
  readonly replies?: Readonly<Record<string, string | null>>
  /** Status and header fields that all replies have. */
  readonly status?: number
  readonly fields?: Reply['headers']
  readonly item?: unknown
  readonly index?: number
}

/** JSON, of which nobody keeps account. */
export const reading = { decode: 'json', work: unwatched, account: 0 } as const

/** Makes what templates read while a request runs. */
export function stateOf({ params, query = '', headers, cookies, body, replies = {}, ...rest }: Given = {}): State {
  const input: Input = {
    requestId: 'a-request',
    work: unwatched,
    trace: {
      traceId: '0af7651916cd43dd8448eb211c80319c',
      spanId: '00f067aa0ba902b7',
      parentSpanId: null,
      flags: '00',
      state: null,
      baggage: null,
    },
    param: (name) => params?.[name],
    query: (name) => fields(query).get(name),
    rawQuery: query,
    header: (name) => headers?.[name],
    cookie: (name) => cookies?.[name],
    body: body === undefined ? undefined : JSON.parse(body),
    bodyBytes: body === undefined ? null : Buffer.from(body),
  }
  const parts = Object.values(replies).map((text) => {
    if (text === null) return without(failure('connection_refused'), null)
    const { status = 200, fields: replyHeaders = {} } = rest
    return answered({ ok: true, status, headers: replyHeaders, body: Buffer.from(text) }, reading)
  })
  return { input, parts, item: rest.item, index: rest.index ?? 0 }
}

/** Makes what templates may refer to: the steps that a test has replies of, and any parameter. */
export function namesOf({ replies = {}, params = {} }: Given = {}, within: Partial<Names> = {}): Names {
  const steps = Object.keys(replies)
  return {
    steps,
    params: Object.keys(params),
    item: null,
    suggest,
    step({ root }) {
      const place = steps.indexOf(root)
      return place === -1 ? undefined : place
    },
    ...within,
  }
}

/** Writes what a template makes of what is given, as a response's body or, with `omits`, as a call's. */
export function written(template: Template, given: Given = {}, omits = false): string {
  const out = new Out()
  const names = namesOf(given, { item: 'item' in given ? 'reply' : null })
  compileTemplate(template, names, omits).write(stateOf(given), out)
  return Buffer.from(out.whole() as string).toString()
}

/** JSON as an operator writes it: its objects become Maps, in the order written. */
export function template(value: unknown): Template {
  if (Array.isArray(value)) return value.map(template)
  if (typeof value !== 'object' || value === null) return value as Template
  return new Map(Object.entries(value).map(([key, one]) => [key, template(one)]))
}
