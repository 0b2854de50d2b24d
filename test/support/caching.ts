import { memoryStore } from '../../src/cache/memory.ts'
import type { Call, Layer, Outcome, Reply, ReplyHeaders, Upstream } from '../../src/call/call.ts'
import { Scope } from '../../src/call/scope.ts'
import { Wheel } from '../../src/call/wheel.ts'
import { Recent } from '../../src/policy/recent.ts'
import { cache } from '../../src/upstream/cache.ts'
import { type Flight, coalesce } from '../../src/upstream/coalesce.ts'
import type { CacheRules, Keeper } from '../../src/upstream/keep.ts'
import { counting } from './entry.ts'

/** What an origin answers with. */
export interface Answer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: string
}

/** What a client asks for. */
export interface Question {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** What a client got, and what the origin was asked for it: null when it was not asked. */
export interface Got {
  readonly status: number
  readonly headers: ReplyHeaders
  readonly body: string
  readonly cache: string | undefined
  readonly sent: Readonly<Record<string, string>> | null
  /** The failure, where there was one. */
  readonly error?: string
}

/** A cache before an origin that a test plays itself, on a clock that the test sets. */
export interface Cache {
  /** Asks as a forward route does; the origin, if it is asked, answers so. */
  ask(question?: Question, answer?: Answer | 'broken'): Promise<Got>
  /** Lets time pass. */
  pass(seconds: number): void
  readonly now: () => number
  readonly store: Keeper['store']
  readonly layer: Layer
  readonly wheel: Wheel
  readonly counts: Record<string, number>
}

const start = Date.UTC(2026, 0, 1)

/** Writes an HTTP date so many seconds from when the cache was made. */
export function dated(seconds: number): string {
  return new Date(start + seconds * 1_000).toUTCString()
}

/** Makes a cache; `http` unless told otherwise. */
export function startCache(rules: Partial<CacheRules> = {}, more: Partial<Keeper> = {}): Cache {
  let now = start
  const wheel = new Wheel(() => now)
  const counts: Record<string, number> = {}
  const store = memoryStore({ maxBytes: 1_000_000, now: () => now, meter: counting() })
  const keeper: Keeper = {
    rules: { ttl: 'http', stale: 0, onError: 0, heuristic: 0, ...rules },
    store,
    wheel,
    now: () => now,
    upstream: 'o',
    words: new Set(['']),
    wordOf: () => '',
    changes: new Recent(100),
    unshared: new Recent(100),
    refreshing: new Set(),
    origin: { hosts: ['origin.example'], bases: ['/base'] },
    maxBytes: 1_000,
    trusted: false,
    count: (status) => (counts[status] = (counts[status] ?? 0) + 1),
    ...more,
  }
  const flights = new Map<string, Flight>()
  const outer = cache(keeper)
  const inner = coalesce({ wheel, store, leaseMs: 1_000, flights })
  const layer: Layer = (next) => outer(inner(next))

  return {
    store,
    layer,
    wheel,
    counts,
    now: () => now,
    pass: (seconds) => void (now += seconds * 1_000),
    async ask(question = {}, answer = {}) {
      let sent: Record<string, string> | null = null
      const upstream = layer(
        playing(answer, (call) => (sent = Object.fromEntries([['', call.method], ...pairs(call.headers)]))),
      )
      return got(await heard(upstream, question, wheel), () => sent)
    },
  }
}

function pairs(headers: readonly string[]): [string, string][] {
  return headers.flatMap((name, i) => (i % 2 === 0 ? [[name, headers[i + 1] as string] as [string, string]] : []))
}

/** An origin that answers each call alike, as it arrives where there is a sink. */
function playing(answer: Answer | 'broken', asked: (call: Call) => void = () => {}): Upstream {
  return (call) => {
    asked(call)
    if (answer === 'broken') return Promise.resolve({ ok: false, error: 'connection_terminated' })
    const { status = 200, headers = {}, body = 'body' } = answer
    const bytes = call.method === 'HEAD' || status === 304 || status === 204 ? Buffer.alloc(0) : Buffer.from(body)
    if (call.sink !== undefined) {
      call.sink.head(status, headers, () => {})
      for (let i = 0; i < bytes.length; i += 3) call.sink.chunk(bytes.subarray(i, i + 3))
      return Promise.resolve({ ok: true, status, headers, body: Buffer.alloc(0) })
    }
    const reply: Reply = { ok: true, status, headers, body: bytes }
    return Promise.resolve(call.accept(status) ? reply : { ok: false, error: 'unaccepted_status', reply })
  }
}

interface Heard {
  outcome: Outcome
  head: { status: number; headers: ReplyHeaders } | null
  body: string
}

async function heard(
  upstream: Upstream,
  { method = 'GET', path = '/a', headers = {} }: Question,
  wheel: Wheel,
): Promise<Heard> {
  const scope = new Scope(wheel, wheel.now() + 60_000)
  let head: Heard['head'] = null
  let body = ''
  const call: Call = {
    method,
    path,
    headers: Object.entries(headers).flat(),
    body: null,
    accept: () => true,
    decode: 'raw',
    sink: {
      head: (status, fields) => void (head = { status, headers: fields }),
      chunk: (bytes) => {
        body += Buffer.from(bytes).toString()
        return true
      },
    },
  }
  const outcome = await upstream(call, scope)
  scope.close()
  return { outcome, head, body }
}

function got({ outcome, head, body }: Heard, sent: () => Got['sent']): Got {
  const cached = outcome.ok ? outcome.cache?.status : undefined
  if (!outcome.ok) return { status: 0, headers: {}, body, cache: cached, sent: sent(), error: outcome.error }
  return { status: head?.status ?? 0, headers: head?.headers ?? {}, body, cache: cached, sent: sent() }
}
