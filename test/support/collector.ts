import { EventEmitter, once } from 'node:events'
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { type Message, bytes, double, messageOf, messages, packed, text, whole } from './protobuf.ts'

type Value = string | number | boolean | readonly Value[]
type Attributes = Readonly<Record<string, Value>>

/** A span as it arrived. Times are in ns since the epoch. */
export interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string
  readonly traceState: string
  readonly name: string
  readonly kind: 'internal' | 'server' | 'client' | 'other'
  readonly began: bigint
  readonly ended: bigint
  readonly attributes: Attributes
  readonly events: readonly { readonly name: string; readonly at: bigint; readonly attributes: Attributes }[]
  readonly status: { readonly code: number; readonly message: string }
}

/** A metric as it arrived. */
export interface Metric {
  readonly name: string
  readonly unit: string
  readonly description: string
  readonly kind: 'gauge' | 'sum' | 'histogram'
  readonly isMonotonic: boolean
  readonly isCumulative: boolean
  readonly points: readonly {
    readonly attributes: Attributes
    readonly began: bigint
    readonly at: bigint
    readonly value?: number | undefined
    readonly bounds?: readonly number[]
    readonly counts?: readonly number[]
  }[]
}

/** One message that arrived. */
export interface Pushed<Item> {
  readonly headers: IncomingMessage['headers']
  readonly resource: Attributes
  readonly scope: { readonly name: string; readonly version: string }
  readonly items: readonly Item[]
}

/** An OTLP collector: keeps what it is sent, and answers as it is told to. */
export interface Collector extends AsyncDisposable {
  readonly url: string
  readonly traces: readonly Pushed<Span>[]
  readonly metrics: readonly Pushed<Metric>[]
  /** What it answers from now on; it says yes at first. What it does not take is not kept. */
  answer: (incoming: IncomingMessage, outgoing: ServerResponse) => boolean
  /** Waits until it holds; looks anew whenever something arrives. */
  until(holds: (collector: Collector) => boolean): Promise<void>
  readonly spans: readonly Span[]
}

/** Says yes to all. */
export function taking(_: IncomingMessage, outgoing: ServerResponse): boolean {
  outgoing.writeHead(200, { 'content-type': 'application/x-protobuf' }).end()
  return true
}

/** Starts a collector on a port of 127.0.0.1; it ends with `await using`. */
export async function startCollector(port = 0): Promise<Collector> {
  const news = new EventEmitter().setMaxListeners(0)
  const traces: Pushed<Span>[] = []
  const metrics: Pushed<Metric>[] = []
  const server = createServer((incoming, outgoing) => {
    void buffer(incoming).then((body) => {
      const { method, url, headers } = incoming
      if (collector.answer(incoming, outgoing) && method === 'POST') {
        const push = pushedOf(messageOf(body))
        if (url?.endsWith('/v1/traces')) traces.push({ headers, ...push, items: push.items.map(spanOf) })
        if (url?.endsWith('/v1/metrics')) metrics.push({ headers, ...push, items: push.items.map(metricOf) })
      }
      news.emit('news')
    })
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const collector: Collector = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    traces,
    metrics,
    answer: taking,
    get spans() {
      return traces.flatMap(({ items }) => items)
    },
    async until(holds) {
      while (!holds(collector)) await once(news, 'news')
    },
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
  return collector
}

// Requests of both kinds hold: resources (1) with attributes (1), and scopes (2), each with its name (1) and items (2).
function pushedOf(request: Message) {
  const [resourced] = messages(request, 1)
  const [scoped] = resourced === undefined ? [] : messages(resourced, 2)
  if (resourced === undefined || scoped === undefined) throw new Error('nothing was pushed')
  const [scope] = messages(scoped, 1)
  return {
    resource: attributesOf(messages(resourced, 1)[0] ?? new Map(), 1),
    scope: { name: text(scope ?? new Map(), 1), version: text(scope ?? new Map(), 2) },
    items: messages(scoped, 2),
  }
}

const kinds: Readonly<Record<number, Span['kind']>> = { 1: 'internal', 2: 'server', 3: 'client' }

function spanOf(span: Message): Span {
  const [status = new Map()] = messages(span, 15)
  return {
    traceId: hex(span, 1),
    spanId: hex(span, 2),
    traceState: text(span, 3),
    parentSpanId: hex(span, 4),
    name: text(span, 5),
    kind: kinds[whole(span, 6)] ?? 'other',
    began: fixed(span, 7),
    ended: fixed(span, 8),
    attributes: attributesOf(span, 9),
    events: messages(span, 11).map((one) => ({
      name: text(one, 2),
      at: fixed(one, 1),
      attributes: attributesOf(one, 3),
    })),
    status: { code: whole(status, 3), message: text(status, 2) },
  }
}

function metricOf(metric: Message): Metric {
  const [kind, data] = ([5, 7, 9] as const)
    .map((field): [Metric['kind'], Message | undefined] => [kindOf(field), messages(metric, field)[0]])
    .find(([, one]) => one !== undefined) as [Metric['kind'], Message]
  return {
    name: text(metric, 1),
    description: text(metric, 2),
    unit: text(metric, 3),
    kind,
    isMonotonic: kind === 'sum' && whole(data, 3) === 1,
    isCumulative: kind !== 'gauge' && whole(data, 2) === 2,
    points: messages(data, 1).map((point) => pointOf(point, kind)),
  }
}

function kindOf(field: 5 | 7 | 9): Metric['kind'] {
  return field === 5 ? 'gauge' : field === 7 ? 'sum' : 'histogram'
}

function pointOf(point: Message, kind: Metric['kind']): Metric['points'][number] {
  const times = { began: fixed(point, 2), at: fixed(point, 3) }
  if (kind !== 'histogram') return { ...times, attributes: attributesOf(point, 7), value: double(point, 4) }
  return {
    ...times,
    attributes: attributesOf(point, 9),
    value: double(point, 5),
    counts: packed(point, 6, (all, at) => Number(all.readBigUInt64LE(at))),
    bounds: packed(point, 7, (all, at) => all.readDoubleLE(at)),
  }
}

function attributesOf(message: Message, field: number): Attributes {
  return Object.fromEntries(
    messages(message, field).map((pair) => [text(pair, 1), valueOf(messages(pair, 2)[0] ?? new Map())]),
  )
}

function valueOf(value: Message): Value {
  if (value.has(2)) return whole(value, 2) === 1
  if (value.has(3)) return whole(value, 3)
  if (value.has(4)) return double(value, 4) as number
  if (value.has(5)) return messages(messages(value, 5)[0] ?? new Map(), 1).map(valueOf)
  return text(value, 1)
}

function hex(message: Message, field: number): string {
  return bytes(message, field)?.toString('hex') ?? ''
}

function fixed(message: Message, field: number): bigint {
  return bytes(message, field)?.readBigUInt64LE() ?? 0n
}
