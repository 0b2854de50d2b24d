import type { Call } from '../call/call.ts'
import type { Failure } from '../call/failure.ts'
import { isFieldValue } from '../call/headers.ts'
import { traceparent } from '../call/trace.ts'
import type { CallAccounts } from '../call/work.ts'
import { Out } from './out.ts'
import type { Bind, State, Template } from './plan.ts'
import type { Keep } from './keep.ts'
import { type Names, lone } from './read.ts'
import { makeAll, parseText } from './reference.ts'
import { type TargetSpec, compileTarget } from './target.ts'
import { compileTemplate } from './template.ts'
import { type BindText, compileText, missing } from './text.ts'

/** A call as the operator describes it. */
export interface CallSpec extends TargetSpec {
  readonly upstream: string
  readonly method: string
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Fields that would be sent without being written, and are not to be. */
  readonly without?: readonly string[] | undefined
  readonly body?: Template | undefined
}

/** What a call is beside what is sent: how its reply is taken, and for which step. */
export interface Terms {
  readonly accept: Call['accept']
  readonly decode: 'json' | 'text'
  readonly step: string
  readonly accounts: CallAccounts
  /** What a cache is told of it; null where nothing is kept. */
  readonly keep: Keep | null
}

/** Compiles what makes the call of a step. Throws a TemplateFault. */
export function compileBind(spec: CallSpec, names: Names, { accept, decode, step, accounts, keep }: Terms): Bind {
  const [path, headers, body] = makeAll([
    [[], () => compileTarget(spec, names)],
    [['headers'], () => compileHeaders(spec, names, decode)],
    [['body'], () => (spec.body === undefined ? null : compileBody(spec.body, names))],
  ])
  return (state) => {
    const target = path(state)
    if (typeof target !== 'string') return target
    const fields = headers.bind(state)
    if ('ok' in fields) return fields
    const bytes = body === null ? null : body(state)
    if (bytes !== null && 'ok' in bytes) return bytes
    const sent = bytes === null && body !== null ? withoutType(fields) : fields
    const errand = { work: state.input.work, step, upstream: spec.upstream, accounts, sent: 0 }
    const call = { method: spec.method, path: target, headers: sent, body: bytes, accept, decode, errand }
    return keep === null ? call : { ...call, ...keep(state, headers.boundIn(fields, state)) }
  }
}

// A body that the client may leave out is of no type when it does.
function withoutType(headers: readonly string[]): string[] {
  return headers.filter((_, i) => headers[i - (i % 2)] !== 'content-type')
}

function compileHeaders(spec: CallSpec, names: Names, decode: 'json' | 'text') {
  const own = compileOwn(spec.headers ?? {}, names)
  const isOurs = (name: string): boolean => !own.some((one) => one.name === name) && !spec.without?.includes(name)
  const standard: [string, string][] = [
    ['accept', decode === 'json' ? 'application/json' : '*/*'],
    // Within a data centre bandwidth is cheaper than the loop's time: we do not ask for compression.
    ['accept-encoding', 'identity'],
    ['user-agent', 'oneloop'],
    ['via', '1.1 oneloop'],
    ...(spec.body === undefined ? [] : [['content-type', 'application/json'] as [string, string]]),
  ]
  const fixed = standard.filter(([name]) => isOurs(name)).flat()
  const binds = own.filter((one) => 'bind' in one)
  for (const one of own) if ('text' in one) fixed.push(one.name, one.text)
  const tellsId = isOurs('x-request-id')
  const [tellsTrace, tellsState, tellsBaggage] = ['traceparent', 'tracestate', 'baggage'].map(isOurs)
  const from = fixed.length + (tellsId ? 2 : 0)
  const bind = (state: State): string[] | Failure => {
    const headers = fixed.slice()
    if (tellsId) headers.push('x-request-id', state.input.requestId)
    for (const { name, bind } of binds) {
      const bound = bind(state)
      if (typeof bound === 'string') headers.push(name, bound)
      else if (bound !== null) return bound
    }
    const { trace } = state.input
    if (tellsState && trace.state !== null) headers.push('tracestate', trace.state)
    if (tellsBaggage && trace.baggage !== null) headers.push('baggage', trace.baggage)
    // Last, so that calls can be compared without it, as it differs in each (see sameCall).
    if (tellsTrace) headers.push('traceparent', traceparent(trace))
    return headers
  }
  /** How many of the last entries tell of the trace alone. */
  const traceLength = ({ trace }: State['input']): number =>
    (tellsState && trace.state !== null ? 2 : 0) +
    (tellsBaggage && trace.baggage !== null ? 2 : 0) +
    (tellsTrace ? 2 : 0)
  return {
    bind,
    /** What of the fields was bound for this call, as text: what differs in it may get another reply. */
    boundIn: (headers: readonly string[], state: State): string => {
      return binds.length === 0 ? '' : headers.slice(from, headers.length - traceLength(state.input)).join('\n')
    },
  }
}

/** A header field as the operator writes it: the same for all calls, or bound for each. */
type Field = { readonly name: string } & ({ readonly text: string } | { readonly bind: BindText })

function compileOwn(headers: Readonly<Record<string, string>>, names: Names): Field[] {
  const compile = (written: string, value: string) => (): Field => {
    const name = written.toLowerCase()
    const pieces = parseText(value)
    if (pieces.every((piece) => typeof piece === 'string')) return { name, text: pieces.join('') }
    return { name, bind: compileText(pieces, names, (text) => (isFieldValue(text) ? text : null)) }
  }
  return makeAll<Field[]>(Object.entries(headers).map(([name, value]) => [[name], compile(name, value)]))
}

/** Whether two calls to one upstream are the same call: all is the same but the span that each is. */
export function sameCall(one: Call, other: Call): boolean {
  const { length } = one.headers
  if (one.path !== other.path || length !== other.headers.length) return false
  const compared = one.headers.at(-2) === 'traceparent' ? length - 2 : length
  for (let i = 0; i < compared; i++) if (one.headers[i] !== other.headers[i]) return false
  return true
}

/** Gives the bytes of a body, null where there is none and need not be. */
function compileBody(template: Template, names: Names): (state: State) => Uint8Array | null | Failure {
  const ref = typeof template === 'string' ? lone(parseText(template)) : null
  const asItCame = ref !== null && ref.root === 'body' && ref.path.length === 0
  const without = ref === null || ref.optional ? null : missing(ref, names)
  const node = compileTemplate(template, names, true)
  return (state) => {
    if (asItCame && state.input.bodyBytes !== null) return state.input.bodyBytes
    if (ref !== null && node.leaves?.(state) === true) return without
    const out = new Out()
    node.write(state, out)
    const whole = out.whole()
    return typeof whole === 'string' ? Buffer.from(whole) : whole
  }
}
