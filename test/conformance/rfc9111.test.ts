import { expect, test } from 'vitest'
import { type Answer, type Got, type Question, dated, startCache } from '../support/caching.ts'

/** One exchange: what passes before it, in seconds, what is asked and would be answered, and what must come of it. */
interface Turn {
  readonly after?: number
  readonly ask?: Question
  readonly answer?: Answer | 'broken'
  readonly expect: Partial<Omit<Got, 'headers' | 'sent'>> & {
    readonly headers?: Record<string, unknown>
    /** What the origin is asked with; false: it is not asked at all. */
    readonly sent?: Record<string, unknown> | false
  }
}

interface Row {
  readonly section: string
  readonly requirement: string
  readonly turns: readonly Turn[]
}

const row = (section: string, requirement: string, ...turns: readonly Turn[]): Row => ({ section, requirement, turns })

const fresh = { 'cache-control': 'max-age=60' }
const hit = { expect: { cache: 'hit', sent: false } } as const
const asked = { expect: { sent: {} } } as const

/** A reply with these fields, then the same request again. */
const stored = (headers: Answer['headers'], more: Omit<Answer, 'headers'> = {}): Turn[] => [
  { answer: { headers: headers ?? {}, ...more }, expect: { cache: 'miss' } },
  { ask: {}, expect: { cache: 'hit', sent: false, ...(more.status !== undefined && { status: more.status }) } },
]
const notStored = (headers: Answer['headers'], more: Omit<Answer, 'headers'> = {}): Turn[] => [
  { answer: { headers: headers ?? {}, ...more }, expect: {} },
  { ask: {}, expect: { cache: 'miss', sent: {} } },
]
const asking = (headers: Record<string, string>, more: Question = {}): Question => ({ headers, ...more })
const changed = 'the entity has changed'

/** What RFC 9111 demands of a shared cache, in its own order; what is for private caches only is left out. */
const requirements: readonly Row[] = [
  row(
    '2',
    'a key is made of method and URI',
    { answer: { headers: fresh }, expect: {} },
    { ask: { path: '/b' }, ...asked },
    { ask: { path: '/a?b' }, ...asked },
    hit,
  ),
  row('3', 'a reply with explicit freshness is stored', ...stored(fresh)),
  row(
    '3',
    'a reply to a method that is not understood is not stored',
    { ask: { method: 'OPTIONS' }, answer: { headers: fresh }, expect: {} },
    { ask: { method: 'OPTIONS' }, ...asked },
  ),
  row('3', 'a final status that nobody knows is stored when its freshness is told', ...stored(fresh, { status: 299 })),
  row('3', 'error statuses with explicit freshness are stored', ...stored(fresh, { status: 404 })),
  row('3', 'a reply that says nothing of its freshness and cannot be asked about is not stored', ...notStored({})),
  row('3', 'no-store: not stored', ...notStored({ 'cache-control': 'max-age=60, no-store' })),
  row(
    '3',
    'no-store of a request: what answers it is not stored',
    { ask: asking({ 'cache-control': 'no-store' }), answer: { headers: fresh }, expect: {} },
    asked,
  ),
  row('3', 'private: not stored', ...notStored({ 'cache-control': 'private, max-age=60' })),
  row(
    '3',
    'public makes a reply storable whose status is not, by itself',
    ...notStored({ 'cache-control': 'public' }, { status: 201 }),
  ),
  row(
    '3.1',
    'the fields of the connection, and those that it names, are not stored',
    {
      answer: {
        headers: {
          ...fresh,
          connection: 'x-a',
          'x-a': '1',
          'x-b': '2',
          'keep-alive': 'timeout=5',
          'proxy-authenticate': 'Basic',
          'proxy-authentication-info': 'a',
          te: 'a',
          upgrade: 'h2c',
        },
      },
      expect: {},
    },
    {
      expect: {
        cache: 'hit',
        headers: {
          'x-b': '2',
          connection: undefined,
          'x-a': undefined,
          'keep-alive': undefined,
          'proxy-authenticate': undefined,
          'proxy-authentication-info': undefined,
          te: undefined,
          upgrade: undefined,
        },
      },
    },
  ),
  row(
    '3.2',
    'a 304 brings all fields up to date but those of the body',
    { answer: { headers: { ...fresh, etag: '"1"', 'x-a': '1', 'content-length': '4' } }, expect: {} },
    {
      after: 61,
      answer: {
        status: 304,
        headers: { ...fresh, etag: '"1"', 'x-a': '2', 'content-length': '0', 'content-encoding': 'gzip' },
      },
      expect: {
        cache: 'revalidated',
        status: 200,
        body: 'body',
        headers: { 'x-a': '2', 'content-length': '4', 'content-encoding': undefined },
      },
    },
    { expect: { cache: 'hit', headers: { 'x-a': '2' } } },
  ),
  row(
    '3.2',
    'fields that a 304 leaves out stay',
    { answer: { headers: { ...fresh, etag: '"1"', 'x-a': '1' } }, expect: {} },
    { after: 61, answer: { status: 304, headers: { ...fresh, etag: '"1"' } }, expect: { headers: { 'x-a': '1' } } },
  ),
  row(
    '3.3',
    'a reply that breaks off is not stored',
    { answer: 'broken', expect: { error: 'connection_terminated' } },
    asked,
  ),
  row(
    '3.5',
    'a reply to a request with credentials is not stored',
    { ask: asking({ authorization: 'a' }), answer: { headers: fresh }, expect: {} },
    { ask: asking({ authorization: 'a' }), ...asked },
    asked,
  ),
  row(
    '3.5',
    'but with public, s-maxage or must-revalidate it is',
    ...['public, max-age=60', 's-maxage=60', 'max-age=60, must-revalidate'].flatMap((value, i): Turn[] => [
      {
        ask: asking({ authorization: 'a' }, { path: `/${i}` }),
        answer: { headers: { 'cache-control': value } },
        expect: {},
      },
      { ask: asking({ authorization: 'a' }, { path: `/${i}` }), ...hit },
    ]),
  ),
  row(
    '3.5',
    'public and s-maxage mean those without credentials as well',
    { ask: asking({ authorization: 'a' }), answer: { headers: { 'cache-control': 's-maxage=60' } }, expect: {} },
    hit,
  ),
  row(
    '3.5',
    'never do those with other credentials get it',
    { ask: asking({ authorization: 'a' }), answer: { headers: { 'cache-control': 'public, max-age=60' } }, expect: {} },
    { ask: asking({ authorization: 'b' }), ...asked },
  ),
  row(
    '4',
    'a stale reply is not used before it was asked about',
    { answer: { headers: fresh }, expect: {} },
    { after: 60, ...asked },
  ),
  row(
    '4',
    'Age is told with whatever comes from a store',
    { answer: { headers: { ...fresh, age: '20' } }, expect: {} },
    { after: 3, expect: { cache: 'hit', headers: { age: '23' } } },
  ),
  row(
    '4',
    'Date stays as it came',
    { answer: { headers: { ...fresh, date: dated(0) } }, expect: {} },
    { after: 5, expect: { headers: { date: dated(0) } } },
  ),
  row(
    '4',
    'the newest of several is used',
    { answer: { headers: fresh, body: 'old' }, expect: {} },
    { after: 61, answer: { headers: fresh, body: 'new' }, expect: { body: 'new' } },
    { expect: { cache: 'hit', body: 'new' } },
  ),
  row(
    '4',
    'a call that is not safe goes to the origin',
    { answer: { headers: fresh }, expect: {} },
    { ask: { method: 'POST' }, ...asked },
  ),
  row(
    '4.1',
    'a reply is used only where the fields that it varies by are the same',
    { ask: asking({ foo: '1' }), answer: { headers: { ...fresh, vary: 'Foo' } }, expect: {} },
    { ask: asking({ foo: '2' }), answer: { headers: { ...fresh, vary: 'Foo' } }, ...asked },
    asked,
    { ask: asking({ foo: '1', other: '2' }), ...hit },
    { ask: asking({ foo: '2' }), ...hit },
  ),
  row(
    '4.1',
    'a field that is absent matches only where it was',
    { answer: { headers: { ...fresh, vary: 'Foo' } }, expect: {} },
    hit,
    { ask: asking({ foo: '1' }), ...asked },
  ),
  row(
    '4.1',
    'space and the order of lists without one make no difference',
    {
      ask: asking({ 'accept-language': 'en, de' }),
      answer: { headers: { ...fresh, vary: 'accept-language' } },
      expect: {},
    },
    { ask: asking({ 'accept-language': 'DE ,en' }), ...hit },
    { ask: asking({ 'accept-language': 'de' }), ...asked },
  ),
  row(
    '4.1',
    'Vary: * matches nothing',
    ...['*', 'foo, *', ', *'].flatMap((vary, i): Turn[] => [
      { ask: { path: `/${i}` }, answer: { headers: { ...fresh, vary } }, expect: {} },
      { ask: { path: `/${i}` }, ...asked },
    ]),
  ),
  row(
    '4.2',
    'a reply whose Age is over its lifetime is stale',
    { answer: { headers: { ...fresh, age: '61' } }, expect: {} },
    asked,
  ),
  row(
    '4.2.1',
    's-maxage comes before max-age, and that before Expires',
    ...stored({ 'cache-control': 'max-age=0, s-maxage=60', expires: dated(-1) }),
    { after: 61, answer: { headers: { 'cache-control': 'max-age=0', expires: dated(1_000) } }, ...asked },
    asked,
  ),
  row(
    '4.2.1',
    'Expires counts from Date',
    { answer: { headers: { date: dated(-100), expires: dated(-50) } }, expect: {} },
    asked,
  ),
  row('4.2.1', 'an Expires that is no date means that it has expired', ...notStored({ expires: '0', date: dated(0) })),
  row(
    '4.2.1',
    'what is not valid is stale',
    ...['max-age=-1', 'max-age=1x', "max-age='60'", 'max-age=', 'max-age =60'].flatMap((value, i): Turn[] => [
      { ask: { path: `/${i}` }, answer: { headers: { 'cache-control': value } }, expect: {} },
      { ask: { path: `/${i}` }, ...asked },
    ]),
  ),
  row('4.2.1', 'of two that differ the first counts', ...stored({ 'cache-control': 'max-age=60, max-age=0' })),
  row(
    '4.2.1',
    'no directive is read out of a quoted string',
    ...notStored({ 'cache-control': 'a="max-age=60", b="\\", max-age=60"' }),
  ),
  row(
    '4.2.2',
    'no lifetime is guessed unasked',
    { answer: { headers: { 'last-modified': dated(-1_000), date: dated(0) } }, expect: {} },
    asked,
  ),
  row(
    '4.2.3',
    'the age counts from Date and from Age, whichever makes it older',
    { answer: { headers: { ...fresh, date: dated(-50), age: '2' } }, expect: {} },
    { after: 9, expect: { cache: 'hit', headers: { age: '59' } } },
    { after: 1, ...asked },
  ),
  row(
    '4.2.3',
    'a Date that is ahead makes nothing younger',
    { answer: { headers: { ...fresh, date: dated(500) } }, expect: {} },
    { after: 59, ...hit },
    { after: 1, ...asked },
  ),
  row(
    '4.2.4',
    'what says so is never used stale, not for a client that would take it',
    ...['must-revalidate', 'proxy-revalidate', 'no-cache', 's-maxage=1'].flatMap((value, i): Turn[] => [
      {
        ask: { path: `/${i}` },
        answer: { headers: { 'cache-control': `max-age=1, ${value}`, etag: '"1"' } },
        expect: {},
      },
      { after: 2, ask: asking({ 'cache-control': 'max-stale' }, { path: `/${i}` }), ...asked },
    ]),
  ),
  row(
    '4.2.4',
    'nor does it stand in when the origin is away',
    { answer: { headers: { 'cache-control': 'max-age=1, must-revalidate, stale-if-error=60' } }, expect: {} },
    { after: 2, answer: 'broken', expect: { error: 'connection_terminated' } },
  ),
  row(
    '4.3.1',
    'what is stale is asked about by its validators',
    { answer: { headers: { ...fresh, etag: 'W/"1"', 'last-modified': dated(-9) } }, expect: {} },
    { after: 61, expect: { sent: { 'if-none-match': 'W/"1"', 'if-modified-since': dated(-9) } } },
  ),
  row(
    '4.3.1',
    'in place of what the client knows, which is not passed on',
    { answer: { headers: { ...fresh, etag: '"1"' } }, expect: {} },
    {
      after: 61,
      ask: asking({ 'if-none-match': '"2"', range: 'bytes=0-0', 'if-range': '"1"' }),
      expect: { sent: { 'if-none-match': '"1"', range: undefined, 'if-range': undefined } },
    },
  ),
  row(
    '4.3.2',
    'a request with the stored ETag is answered with 304',
    { answer: { headers: { ...fresh, etag: '"1"', 'content-type': 'text/plain' } }, expect: {} },
    {
      ask: asking({ 'if-none-match': '"0", W/"1"' }),
      expect: {
        cache: 'hit',
        status: 304,
        body: '',
        headers: { etag: '"1"', 'cache-control': 'max-age=60', 'content-type': undefined },
      },
    },
    { ask: asking({ 'if-none-match': '*' }), expect: { status: 304 } },
    { ask: asking({ 'if-none-match': '"2"' }), expect: { status: 200, body: 'body' } },
  ),
  row(
    '4.3.2',
    'If-None-Match comes before If-Modified-Since',
    { answer: { headers: { ...fresh, etag: '"1"', 'last-modified': dated(-9) } }, expect: {} },
    { ask: asking({ 'if-none-match': '"2"', 'if-modified-since': dated(-9) }), expect: { status: 200 } },
  ),
  row(
    '4.3.2',
    'If-Modified-Since is answered by Last-Modified, else by Date',
    { answer: { headers: { ...fresh, 'last-modified': dated(-9) } }, expect: {} },
    { ask: asking({ 'if-modified-since': dated(-9) }), expect: { status: 304 } },
    { ask: asking({ 'if-modified-since': dated(-10) }), expect: { status: 200 } },
    { ask: { path: '/b' }, answer: { headers: { ...fresh, date: dated(0) } }, expect: {} },
    { ask: asking({ 'if-modified-since': dated(0) }, { path: '/b' }), expect: { status: 304 } },
    { ask: asking({ 'if-modified-since': dated(-1) }, { path: '/b' }), expect: { status: 200 } },
  ),
  row(
    '4.3.2',
    'conditions that only an origin can judge go to it',
    { answer: { headers: { ...fresh, etag: '"1"' } }, expect: {} },
    { ask: asking({ 'if-match': '"1"' }), ...asked },
  ),
  row(
    '4.3.3',
    'a 304 is answered with what is stored',
    { answer: { headers: { ...fresh, etag: '"1"' } }, expect: {} },
    {
      after: 61,
      answer: { status: 304, headers: { etag: '"1"', ...fresh } },
      expect: { cache: 'revalidated', status: 200, body: 'body' },
    },
    { after: 59, ...hit },
  ),
  row(
    '4.3.3',
    'a full reply takes its place',
    { answer: { headers: { ...fresh, etag: '"1"' } }, expect: {} },
    { after: 61, answer: { headers: { ...fresh, etag: '"2"' }, body: changed }, expect: { body: changed } },
    { expect: { cache: 'hit', body: changed } },
  ),
  row(
    '4.3.3',
    'a server error is passed on, or what is stored stands in where it may',
    { answer: { headers: fresh }, expect: {} },
    { after: 61, answer: { status: 503 }, expect: { status: 503 } },
    { ask: { path: '/b' }, answer: { headers: { 'cache-control': 'max-age=60, stale-if-error=60' } }, expect: {} },
    {
      after: 61,
      ask: { path: '/b' },
      answer: { status: 503, body: 'no' },
      expect: { cache: 'stale', status: 200, body: 'body' },
    },
    { ask: { path: '/b' }, answer: 'broken', expect: { cache: 'stale', status: 200 } },
    { after: 60, ask: { path: '/b' }, answer: { status: 503 }, expect: { status: 503 } },
  ),
  row(
    '4.3.4',
    'a 304 that speaks of another reply is asked again without conditions',
    { answer: { headers: { ...fresh, etag: '"1"' } }, expect: {} },
    {
      after: 61,
      ask: {},
      answer: { status: 304, headers: { etag: '"2"' } },
      expect: { sent: { 'if-none-match': undefined } },
    },
  ),
  row(
    '4.3.5',
    'HEAD is answered by a stored GET',
    { answer: { headers: { ...fresh, 'content-length': '4' } }, expect: {} },
    { ask: { method: 'HEAD' }, expect: { cache: 'hit', body: '', headers: { 'content-length': '4' } } },
  ),
  row(
    '4.3.5',
    'what HEAD is answered with brings a stored GET up to date',
    { answer: { headers: { 'cache-control': 'max-age=60', 'x-a': '1' } }, expect: {} },
    {
      after: 61,
      ask: { method: 'HEAD' },
      answer: { headers: { ...fresh, 'x-a': '2', 'content-length': '4' } },
      expect: { sent: { '': 'HEAD' } },
    },
    { expect: { cache: 'hit', body: 'body', headers: { 'x-a': '2' } } },
  ),
  row(
    '4.3.5',
    'and drops it where it speaks of another',
    { answer: { headers: { ...fresh, etag: '"1"' } }, expect: {} },
    { after: 61, ask: { method: 'HEAD' }, answer: { headers: { ...fresh, etag: '"2"' } }, expect: {} },
    { expect: { sent: { 'if-none-match': undefined } } },
  ),
  row(
    '4.3.5',
    'a reply to HEAD alone is no reply to GET',
    { ask: { method: 'HEAD' }, answer: { headers: fresh }, expect: {} },
    asked,
  ),
  row(
    '4.4',
    'a call that is not safe and succeeds drops what is stored',
    ...['POST', 'PUT', 'DELETE', 'PATCH'].flatMap((method): Turn[] => [
      { answer: { headers: fresh }, expect: {} },
      { ask: { method }, expect: {} },
      { answer: { headers: { 'cache-control': 'no-store' } }, ...asked },
    ]),
  ),
  row(
    '4.4',
    'one that fails does not',
    { answer: { headers: fresh }, expect: {} },
    { ask: { method: 'POST' }, answer: { status: 500 }, expect: {} },
    hit,
  ),
  row(
    '4.4',
    'nor do safe ones',
    { answer: { headers: fresh }, expect: {} },
    { ask: { method: 'OPTIONS' }, expect: {} },
    hit,
  ),
  row(
    '4.4',
    'with all its variants',
    { ask: asking({ foo: '1' }), answer: { headers: { ...fresh, vary: 'foo' } }, expect: {} },
    { ask: { method: 'POST' }, expect: {} },
    { ask: asking({ foo: '2' }), answer: { headers: { ...fresh, vary: 'foo' } }, ...asked },
    { ask: asking({ foo: '1' }), ...asked },
  ),
  row(
    '4.4',
    'Location and Content-Location of the same origin are dropped too',
    ...['location', 'content-location'].flatMap((name): Turn[] =>
      ['/b', 'b', 'http://origin.example/b', 'http://origin.example/base/b'].flatMap((to): Turn[] => [
        { ask: { path: '/b' }, answer: { headers: fresh }, expect: {} },
        { ask: { method: 'POST' }, answer: { status: 201, headers: { [name]: to } }, expect: {} },
        { ask: { path: '/b' }, answer: { headers: { 'cache-control': 'no-store' } }, ...asked },
      ]),
    ),
  ),
  row(
    '4.4',
    'those of another origin are not',
    { ask: { path: '/b' }, answer: { headers: fresh }, expect: {} },
    { ask: { method: 'POST' }, answer: { headers: { location: 'http://elsewhere.example/b' } }, expect: {} },
    { ask: { path: '/b' }, ...hit },
  ),
  row(
    '5.1',
    'of several Ages the first counts, and one that is no number does not',
    { answer: { headers: { ...fresh, age: '61, 0' } }, expect: {} },
    asked,
    { ask: { path: '/b' }, answer: { headers: { ...fresh, age: 'x' } }, expect: {} },
    { ask: { path: '/b' }, ...hit },
  ),
  row(
    '5.2',
    'names of directives are read in any case, values with or without quotes',
    ...stored({ 'cache-control': 'MAX-age="60"' }),
  ),
  row('5.2', 'what several lines say counts together', ...notStored({ 'cache-control': ['max-age=60', 'no-store'] })),
  row(
    '5.2.1.1',
    'max-age of a request',
    { answer: { headers: fresh }, expect: {} },
    { after: 10, ask: asking({ 'cache-control': 'max-age=9' }), ...asked },
  ),
  row(
    '5.2.1.2',
    'max-stale of a request',
    { answer: { headers: { 'cache-control': 'max-age=1' } }, expect: {} },
    { after: 5, ask: asking({ 'cache-control': 'max-stale=4' }), expect: { cache: 'stale', sent: false } },
    { after: 5, ask: asking({ 'cache-control': 'max-stale' }), expect: { cache: 'stale', sent: false } },
    { ask: asking({ 'cache-control': 'max-stale=4' }), ...asked },
  ),
  row(
    '5.2.1.3',
    'min-fresh of a request',
    { answer: { headers: fresh }, expect: {} },
    { after: 10, ask: asking({ 'cache-control': 'min-fresh=50' }), ...hit },
    { ask: asking({ 'cache-control': 'min-fresh=51' }), ...asked },
  ),
  row(
    '5.2.1.4',
    'no-cache of a request',
    { answer: { headers: { ...fresh, etag: '"1"' } }, expect: {} },
    {
      ask: asking({ 'cache-control': 'no-cache' }),
      answer: { status: 304, headers: { etag: '"1"' } },
      expect: { cache: 'revalidated', status: 200, sent: { 'if-none-match': '"1"' } },
    },
  ),
  row(
    '5.2.1.5',
    'no-store of a request',
    { answer: { headers: fresh }, expect: {} },
    { ask: asking({ 'cache-control': 'no-store' }), ...asked },
  ),
  row(
    '5.2.1.7',
    'only-if-cached of a request',
    { ask: asking({ 'cache-control': 'only-if-cached' }), expect: { error: 'not_cached', sent: false } },
    { answer: { headers: fresh }, expect: {} },
    { ask: asking({ 'cache-control': 'only-if-cached' }), ...hit },
  ),
  row('5.2.2.2', 'must-revalidate', ...stored({ 'cache-control': 'max-age=60, must-revalidate' }), {
    after: 60,
    ...asked,
  }),
  row(
    '5.2.2.3',
    'must-understand counts in place of no-store for a status that is understood',
    ...stored({ 'cache-control': 'max-age=60, no-store, must-understand' }),
  ),
  row(
    '5.2.2.3',
    'must-understand forbids any other status',
    ...notStored({ 'cache-control': 'max-age=60, must-understand' }, { status: 299 }),
  ),
  row(
    '5.2.2.4',
    'no-cache: stored, and asked about each time',
    { answer: { headers: { 'cache-control': 'max-age=60, no-cache', etag: '"1"' } }, expect: {} },
    {
      answer: { status: 304, headers: { etag: '"1"', 'cache-control': 'max-age=60, no-cache' } },
      expect: { cache: 'revalidated', sent: { 'if-none-match': '"1"' } },
    },
    { expect: { sent: { 'if-none-match': '"1"' } } },
  ),
  row(
    '5.2.2.4',
    'no-cache of some fields: stored without them',
    {
      answer: { headers: { 'cache-control': 'max-age=60, no-cache="X-A, x-b"', 'x-a': '1', 'x-b': '2', 'x-c': '3' } },
      expect: { headers: { 'x-a': '1' } },
    },
    { expect: { cache: 'hit', headers: { 'x-a': undefined, 'x-b': undefined, 'x-c': '3' } } },
  ),
  row(
    '5.2.2.7',
    'private of some fields: stored without them',
    { answer: { headers: { 'cache-control': 'max-age=60, private="x-a"', 'x-a': '1' } }, expect: {} },
    { expect: { cache: 'hit', headers: { 'x-a': undefined } } },
  ),
  row(
    '5.3',
    'Expires',
    { answer: { headers: { expires: dated(60), date: dated(0) } }, expect: {} },
    { after: 59, ...hit },
    { after: 1, ...asked },
  ),
  row(
    '5.4',
    'Pragma: no-cache counts where there is no Cache-Control',
    { answer: { headers: fresh }, expect: {} },
    { ask: asking({ pragma: 'no-cache', 'cache-control': 'max-age=60' }), ...hit },
    { ask: asking({ pragma: 'no-cache' }), ...asked },
  ),
  row(
    '7.3',
    'a reply that sets a cookie is for one client, whatever it says',
    ...notStored({ 'cache-control': 'public, max-age=60', 'set-cookie': 'a=b' }),
  ),
  row(
    '-, RFC 5861 §3',
    'stale-while-revalidate: used while it is fetched anew',
    { answer: { headers: { 'cache-control': 'max-age=1, stale-while-revalidate=60' } }, expect: {} },
    { after: 2, answer: { headers: fresh, body: changed }, expect: { cache: 'stale', body: 'body', sent: {} } },
    { expect: { cache: 'hit', body: changed, sent: false } },
  ),
  row(
    '-, RFC 5861 §3',
    'but no longer than that',
    { answer: { headers: { 'cache-control': 'max-age=1, stale-while-revalidate=10' } }, expect: {} },
    { after: 11, answer: { headers: fresh, body: changed }, expect: { cache: 'miss', body: changed } },
  ),
  row(
    '-, RFC 9213 §2.2',
    'CDN-Cache-Control counts in place of Cache-Control and Expires',
    ...stored({ 'cdn-cache-control': 'max-age=60', 'cache-control': 'no-store', expires: '0' }),
    { after: 61, answer: { headers: { 'cdn-cache-control': 'no-store', 'cache-control': 'max-age=60' } }, ...asked },
    asked,
  ),
  row(
    '-, RFC 9213 §2.1',
    'but where it is empty or no structured field it does not count at all',
    ...notStored({ 'cdn-cache-control': 'max-age=60, &', 'cache-control': 'no-store' }),
  ),
  row(
    '3.3',
    'a part is stored as a part: it answers what asks for no more than it has',
    {
      ask: asking({ range: 'bytes=5-9' }),
      answer: { status: 206, headers: { ...fresh, 'content-range': 'bytes 5-9/10' }, body: '56789' },
      expect: { status: 206, body: '56789' },
    },
    { ask: asking({ range: 'bytes=-5' }), expect: { cache: 'hit', status: 206, body: '56789', sent: false } },
    {
      ask: asking({ range: 'bytes=6-7' }),
      expect: { cache: 'hit', body: '67', headers: { 'content-range': 'bytes 6-7/10' } },
    },
    { ask: asking({ range: 'bytes=4-7' }), ...asked },
    { answer: { headers: fresh, body: '0123456789' }, expect: { cache: 'miss', body: '0123456789', sent: {} } },
    { ask: asking({ range: 'bytes=0-1' }), expect: { cache: 'hit', status: 206, body: '01' } },
  ),
  row(
    '3.3',
    'a part that is not as long as it says, or takes the place of a whole reply, is not stored',
    {
      ask: asking({ range: 'bytes=4-9' }),
      answer: { status: 206, headers: { ...fresh, 'content-range': 'bytes 4-9/10' }, body: '56789' },
      expect: {},
    },
    { ask: asking({ range: 'bytes=4-9' }), answer: { headers: fresh, body: '0123456789' }, ...asked },
    {
      ask: asking({ range: 'bytes=4-9', 'cache-control': 'no-cache' }),
      answer: { status: 206, headers: { ...fresh, 'content-range': 'bytes 4-8/10' }, body: '45678' },
      ...asked,
    },
    { expect: { cache: 'hit', status: 200, body: '0123456789' } },
  ),
  row(
    '-, RFC 9110 §14',
    'a range is answered from a whole reply',
    { answer: { headers: fresh, body: '0123456789' }, expect: {} },
    {
      ask: asking({ range: 'bytes=2-4' }),
      expect: {
        cache: 'hit',
        status: 206,
        body: '234',
        headers: { 'content-range': 'bytes 2-4/10', 'content-length': '3' },
      },
    },
    { ask: asking({ range: 'bytes=7-' }), expect: { status: 206, body: '789' } },
    { ask: asking({ range: 'bytes=-2' }), expect: { status: 206, body: '89' } },
    {
      ask: asking({ range: 'bytes=10-' }),
      expect: { status: 416, body: '', headers: { 'content-range': 'bytes */10' } },
    },
    { ask: asking({ range: 'bytes=0-1,3-4' }), expect: { status: 200, body: '0123456789' } },
    { ask: asking({ range: 'lines=0-1' }), expect: { status: 200 } },
  ),
  row(
    '-, RFC 9110 §13.1.5',
    'If-Range: the range only while nothing has changed',
    {
      answer: { headers: { ...fresh, etag: '"1"', 'last-modified': dated(-9), date: dated(0) }, body: '0123456789' },
      expect: {},
    },
    { ask: asking({ range: 'bytes=0-1', 'if-range': '"1"' }), expect: { status: 206 } },
    { ask: asking({ range: 'bytes=0-1', 'if-range': 'W/"1"' }), expect: { status: 200 } },
    { ask: asking({ range: 'bytes=0-1', 'if-range': dated(-9) }), expect: { status: 206 } },
    { ask: asking({ range: 'bytes=0-1', 'if-range': dated(-8) }), expect: { status: 200 } },
  ),
]

test.each(requirements)('RFC 9111 §$section: $requirement', async ({ turns }) => {
  const cache = startCache()
  for (const turn of turns) {
    cache.pass(turn.after ?? 0)
    const got = await cache.ask(turn.ask, turn.answer)
    expect(seenOf(got, turn.expect)).toEqual(turn.expect)
  }
})

/** What was got, as far as it is expected to be something. */
function seenOf(got: Got, wanted: Turn['expect']): unknown {
  const among = (all: object | null, names: object): unknown =>
    Object.fromEntries(Object.keys(names).map((name) => [name, (all as Record<string, unknown> | null)?.[name]]))
  const { sent } = got
  const told = {
    ...got,
    headers: among(got.headers, wanted.headers ?? {}),
    sent: sent === null ? false : among(sent, typeof wanted.sent === 'object' ? wanted.sent : {}),
  }
  return among(told, wanted)
}
