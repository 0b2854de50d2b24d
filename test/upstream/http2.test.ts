import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type Http2Server, type ServerHttp2Stream, createSecureServer, createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { certify } from '../support/certificate.ts'
import { startGateway } from '../support/gateway.ts'
import { startJsonOrigin } from '../support/origin.ts'
import { ask } from './setting.ts'

type Answer = (stream: ServerHttp2Stream, path: string, headers: Record<string, unknown>) => void

/** An origin of HTTP/2, in clear unless it is given a certificate. Counts its connections. */
async function startHttp2(answer: Answer, tls?: { cert: string; key: string }) {
  const server: Http2Server = tls === undefined ? createServer() : (createSecureServer(tls) as unknown as Http2Server)
  const sessions = new Set<{ destroy(): void }>()
  let opened = 0
  server.on('session', (session) => {
    opened++
    sessions.add(session)
  })
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {})
    answer(stream as ServerHttp2Stream, String(headers[':path']), headers)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    opened: () => opened,
    cut: () => sessions.forEach((session) => session.destroy()),
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

const answers: Answer = (stream, path) => {
  stream.respond({ ':status': 200, 'content-type': 'application/json' })
  stream.end(JSON.stringify({ path }))
}

function routes(url: string, more = ''): string {
  return `
upstreams: { o: { endpoints: ["${url}"], http2: true, ${more} } }
routes:
  - match: GET /steps
    steps: { a: { call: GET o /a }, b: { call: GET o /b }, c: { call: { method: POST, upstream: o, path: /c, body: { x: 1 } } } }
  - match: ANY /*
    forward: o`
}

test('calls go over one connection at once, by prior knowledge in clear', async () => {
  await using origin = await startHttp2(answers)
  await using gateway = await startGateway(routes(origin.url, 'connections: 1, limit: 200'))
  const all = await Promise.all(Array.from({ length: 30 }, () => ask(`${gateway.url}/steps`)))
  expect(new Set(all.map(({ text }) => text))).toEqual(
    new Set(['{"a":{"path":"/a"},"b":{"path":"/b"},"c":{"path":"/c"}}']),
  )
  expect(origin.opened()).toBe(1)
  await gateway.idle()
})

test('U24: over TLS it is agreed on by ALPN, and certificates are checked', async () => {
  const ca = certify({})
  const made = certify({ host: '127.0.0.1', by: ca })
  await using origin = await startHttp2(answers, made)
  await using untrusted = await startGateway(routes(origin.url))
  expect(await ask(`${untrusted.url}/steps`)).toMatchObject({ status: 502, json: { error: 'tls_certificate_error' } })
  const folder = mkdtempSync(join(tmpdir(), 'oneloop-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'ca.pem'), ca.cert)
  await using trusted = await startGateway(routes(origin.url, `tls: { ca: "${join(folder, 'ca.pem')}" }`))
  expect(await ask(`${trusted.url}/steps`)).toMatchObject({ status: 200, json: { b: { path: '/b' } } })
})

test('an endpoint that does not speak HTTP/2 fails the call, and says so in the log', async () => {
  await using origin = await startJsonOrigin({ '/a': 1 })
  await using gateway = await startGateway(routes(origin.url, 'retry: 0'))
  expect((await ask(`${gateway.url}/steps`)).status).toBe(502)
  await gateway.idle()
})

test('an attempt that takes too long ends its stream; others on the connection go on, later ones have a new one: it may be dead', async () => {
  await using origin = await startHttp2((stream, path, headers) => {
    if (path !== '/a') answers(stream, path, headers)
  })
  await using gateway = await startGateway(routes(origin.url, 'timeout: 150ms, retry: 0, connections: 1'))
  const [slow, quick] = await Promise.all([ask(`${gateway.url}/a`), ask(`${gateway.url}/b`)])
  expect([slow.status, quick.status]).toEqual([504, 200])
  expect(await ask(`${gateway.url}/b`)).toMatchObject({ status: 200 })
  expect(origin.opened()).toBe(2)
  await gateway.idle()
})

test('U2: a stream that is refused, and a connection that is cut, are not the end: the call is made once more', async () => {
  let came = 0
  await using origin = await startHttp2((stream, path, headers) => {
    came++
    if (came === 1) stream.close(7)
    else if (came === 3) origin.cut()
    else answers(stream, path, headers)
  })
  await using gateway = await startGateway(`
upstreams: { o: { endpoints: ["${origin.url}"], http2: true, retry: 1 } }
routes: [{ match: GET /, steps: { a: { call: GET o /a } } }]`)
  expect(await ask(gateway.url)).toMatchObject({ status: 200 })
  expect(await ask(gateway.url)).toMatchObject({ status: 200 })
  expect(came).toBeGreaterThanOrEqual(4)
  await gateway.idle()
})

test('a stream passes both ways, with a body of megabytes', async () => {
  await using origin = await startHttp2((stream) => {
    stream.respond({ ':status': 201, 'x-a': 'b', 'x-request': 'y' })
    stream.pipe(stream)
  })
  await using gateway = await startGateway(routes(origin.url))
  const body = 'x'.repeat(3 * 1024 ** 2)
  const answer = await ask(`${gateway.url}/echo`, { method: 'POST', body })
  expect(answer.status).toBe(201)
  expect(answer.headers.get('x-a')).toBe('b')
  expect(answer.text === body).toBe(true)
  await gateway.idle()
})

test('what a peer refuses unprocessed is sent again by us or not at all', async () => {
  let came = 0
  await using origin = await startHttp2((stream) => {
    came++
    stream.close(7)
  })
  await using gateway = await startGateway(routes(origin.url, 'retry: 0, breaker: off'))
  for (let i = 0; i < 5; i++) {
    expect(await ask(`${gateway.url}/b`)).toMatchObject({ status: 502, json: { error: 'connection_terminated' } })
  }
  expect(came).toBe(5)
})
