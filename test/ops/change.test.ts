import { Readable } from 'node:stream'
import { afterAll, describe, expect, test } from 'vitest'
import { listenOps, opsApp } from '../../src/ops/http.ts'
import { ask, chunk, request } from '../support/client.ts'

const closing: (() => void)[] = []
afterAll(() => closing.forEach((close) => close()))

const reload = () => Promise.resolve({ ok: false, faults: [] } as const)
const shown = { ready: () => ({ ready: true }), status: () => ({}), metrics: () => '', traces: () => ({}) }

/** The ops port, which says what was to be purged. */
async function ops(token: string, whole = true) {
  const purged: unknown[] = []
  const levels: string[] = []
  const purge = (what: object) => Promise.resolve({ purged: purged.push(what), whole })
  const log = (level: string) => levels.push(level)
  const listening = await listenOps(opsApp(shown, { token, purge, reload, log }), '127.0.0.1', 0)
  const { port } = listening
  closing.push(() => listening.close())
  const post = (headers: Readonly<Record<string, string>>, body = '{"tag":"x"}', path = '/api/purge') => {
    const fields = { 'content-length': String(Buffer.byteLength(body)), host: `127.0.0.1:${port}`, ...headers }
    const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
    return ask(port, Buffer.from(`POST ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`))
  }
  return { post, purged, levels, port }
}

describe('with a token', () => {
  test.each([
    ['none', {}, ''],
    ['another', { authorization: 'Bearer secret2' }, ', error="invalid_token"'],
    ['a part of it', { authorization: 'Bearer secre' }, ', error="invalid_token"'],
    ['an empty one', { authorization: 'Bearer ' }, ''],
    ['one of another scheme', { authorization: 'Basic secret' }, ''],
  ])('P11: whoever shows %s is refused with 401', async (_what, headers, error) => {
    const { post, purged } = await ops('secret')
    const response = await post(headers)
    expect([response.status, response.headers['www-authenticate'], response.headers['content-type']]).toEqual([
      401,
      `Bearer realm="oneloop"${error}`,
      'application/problem+json',
    ])
    expect(response.headers['cache-control']).toBe('no-store')
    expect(response.json()).toMatchObject({ type: 'about:blank', title: 'Unauthorized', status: 401 })
    expect([purged, response.text.includes('secret')]).toEqual([[], false])
  })

  test('P11: whoever shows it may, wherever it comes from', async () => {
    const { post, purged } = await ops('secret')
    const headers = { authorization: 'bearer secret', origin: 'https://elsewhere.example', host: 'ops.example' }
    expect((await post(headers)).json()).toEqual({ purged: 1 })
    expect(purged).toEqual([{ tag: 'x' }])
  })
})

test('how much is logged is changed by a level that there is, and by whoever may', async () => {
  const { post, levels } = await ops('secret')
  const may = { authorization: 'Bearer secret' }
  const set = await post(may, '', '/api/log?level=warn')
  expect([set.status, set.json()]).toEqual([200, { level: 'warn' }])
  for (const query of ['?level=loud', '?level=', '']) {
    const refused = await post(may, '', `/api/log${query}`)
    expect([refused.status, refused.json()]).toMatchObject([
      400,
      { detail: 'expected level to be one of debug, info, warn, error' },
    ])
  }
  expect((await post({}, '', '/api/log?level=debug')).status).toBe(401)
  expect(levels).toEqual(['warn'])
})

describe('without a token', () => {
  test('P11: who comes from this machine may', async () => {
    const { post, port } = await ops('')
    const own = [{}, { host: `localhost:${port}`, origin: `http://localhost:${port}` }]
    for (const headers of own) expect((await post(headers)).status).toBe(200)
  })

  test.each([
    ['another site', { origin: 'https://elsewhere.example' }],
    ['a page without an origin', { origin: 'null' }],
    ['another port of this machine', { origin: 'http://127.0.0.1:1' }],
    ['a name that was made to point here', { host: 'rebound.example', origin: 'http://rebound.example' }],
  ])('P11: a browser on this machine is refused that was told to by %s', async (_who, headers) => {
    const { post, purged } = await ops('')
    const response = await post(headers)
    expect([response.status, response.headers['content-type'], purged]).toEqual([403, 'application/problem+json', []])
  })

  test.each([
    ['192.0.2.1', 403],
    ['2001:db8::1', 403],
    ['::ffff:10.0.0.1', 403],
    ['', 403],
    ['127.3.2.1', 200],
    ['::1', 200],
    ['::ffff:127.0.0.1', 200],
  ])('P11: of peers only those of this machine may: %s is answered %d', async (remoteAddress, status) => {
    const purge = () => Promise.resolve({ purged: 1, whole: true })
    const app = opsApp(shown, { token: '', purge, reload, log: () => {} })
    const socket = { remoteAddress, remotePort: 1, remoteFamily: 'IPv4' }
    const peer = { incoming: Object.assign(Readable.from([Buffer.from('{"tag":"x"}')]), { socket }) }
    const init = { method: 'POST' }
    expect((await app.request('http://127.0.0.1:9090/api/purge', init, peer)).status).toBe(status)
  })

  test('what changes nothing is shown to anybody', async () => {
    const { port } = await ops('')
    const headers = 'host: rebound.example\r\norigin: https://elsewhere.example\r\n'
    expect((await ask(port, `GET /api/status HTTP/1.1\r\n${headers}\r\n`)).status).toBe(200)
    expect((await ask(port, request('GET', '/api/purge'))).status).toBe(404)
  })
})

describe('purge', () => {
  test('a body that says too much is refused, also one of no known length', async () => {
    const { port } = await ops('')
    const large = JSON.stringify({ tag: 'x'.repeat(70_000) })
    const own = { host: `127.0.0.1:${port}` }
    expect((await ask(port, request('POST', '/api/purge', own, large))).status).toBe(413)
    const chunked = request(
      'POST',
      '/api/purge',
      { ...own, 'transfer-encoding': 'chunked' },
      Buffer.concat([chunk(large), chunk('')]),
    )
    expect((await ask(port, chunked)).status).toBe(413)
    const small = request(
      'POST',
      '/api/purge',
      { ...own, 'transfer-encoding': 'chunked' },
      Buffer.concat([chunk('{"tag":"x"}'), chunk('')]),
    )
    expect((await ask(port, small)).status).toBe(200)
  })

  test.each(['', '{', '[]', '"x"', 'null', '{}', '{"tag":1}', '{"tag":"x","key":"y"}', '{"prefixes":"x"}'])(
    'takes nothing for a wish that is none: %s',
    async (body) => {
      const { post, purged } = await ops('')
      const response = await post({}, body)
      expect([response.status, response.headers['content-type'], purged]).toEqual([400, 'application/problem+json', []])
      expect(response.json()).toMatchObject({ detail: expect.stringContaining('"key", "tag" and "prefix"') })
    },
  )

  test.each([{ key: 'GET users /users/7' }, { tag: 'å b' }, { prefix: '' }])('passes on %j', async (what) => {
    const { post, purged } = await ops('')
    expect((await post({}, JSON.stringify(what))).json()).toEqual({ purged: 1 })
    expect(purged).toEqual([what])
  })

  test('says so when some may be left', async () => {
    const { post } = await ops('', false)
    const response = await post({})
    expect([response.status, response.headers['content-type']]).toEqual([503, 'application/problem+json'])
    expect(response.json()).toMatchObject({ status: 503, purged: 1, detail: expect.stringContaining('purge again') })
  })

  test('reads no more than anybody has to say', async () => {
    const { post, purged } = await ops('')
    const response = await post({}, JSON.stringify({ tag: 'x'.repeat(70_000) }))
    expect([response.status, response.headers['content-type'], purged]).toEqual([413, 'application/problem+json', []])
  })
})
