import type { Socket } from 'node:net'
import { type TLSSocket, type TlsOptions, getCACertificates, setDefaultCACertificates } from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Call, Outcome } from '../../src/call/call.ts'
import { Scope } from '../../src/call/scope.ts'
import { Wheel } from '../../src/call/wheel.ts'
import { type PoolOptions, pool } from '../../src/upstream/pool.ts'
import { certify } from '../support/certificate.ts'
import { type Origin, type Script, json, response, startOrigin } from '../support/origin.ts'
import { expectAlive, expectFailure, startSetting } from './setting.ts'
import { noLedger } from '../support/ledger.ts'

const trusted = getCACertificates('default')
const authority = certify({})
const host = '127.0.0.1'

// This process, and so the gateway in it, trusts the authority.
beforeAll(() => setDefaultCACertificates([...trusted, authority.cert]))
afterAll(() => setDefaultCACertificates(trusted))

test('a certificate that is valid is one, and no HTTP/2 is spoken', async () => {
  const tls = { ...certify({ host, by: authority }), ALPNProtocols: ['h2', 'http/1.1'] }
  await using setting = await startSetting((_request, socket) => void socket.write(json({ a: 1 })), { tls })
  for (let i = 0; i < 3; i++) expect((await setting.ask('/required')).text).toBe('{"x":{"a":1}}')
  await expectAlive(setting)
  expect(setting.bad.opened).toBe(1)
})

test.each<[string, TlsOptions]>([
  ['has expired', certify({ host, by: authority, from: new Date('2020-01-01'), to: new Date('2020-02-01') })],
  ['is not valid yet', certify({ host, by: authority, from: new Date('2100-01-01'), to: new Date('2100-02-01') })],
  ['is for another address', certify({ host: '127.0.0.2', by: authority })],
  ['is for a name and not for the address', certify({ host: 'localhost', by: authority })],
  ['signs itself', certify({ host })],
  ['is signed by an authority that nobody knows', certify({ host, by: certify({}) })],
])('U24: a certificate that %s fails the step, and nothing is sent', async (_, tls) => {
  await using setting = await startSetting((_request, socket) => void socket.write(json({ a: 1 })), { tls })
  await expectFailure(setting, 'tls_certificate_error', 502)
  expect(setting.bad.requests).toEqual([])
  // No second try that would look away.
  expect(setting.bad.opened).toBe(2)
  await setting.bad.until(({ open }) => open === 0)
})

test('U24: a handshake that stalls fails the step once connecting has taken too long', async () => {
  const settings = {
    upstream: 'connect: 100ms, retry: 0',
    url: ({ port }: { port: number }) => `https://127.0.0.1:${port}`,
  }
  await using setting = await startSetting(() => {}, settings)
  const began = performance.now()
  await expectFailure(setting, 'connection_timeout', 504)
  expect(performance.now() - began).toBeGreaterThanOrEqual(200)
  expect(performance.now() - began).toBeLessThan(2_000)
  expect(setting.bad.opened).toBe(2)
  await setting.bad.until(({ open }) => open === 0)
})

test('U24: an origin that does not speak TLS fails the step', async () => {
  const settings = {
    connected: (socket: { write(text: string): unknown }) => void socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'),
    url: ({ port }: { port: number }) => `https://127.0.0.1:${port}`,
  }
  await using setting = await startSetting(() => {}, settings)
  await expectFailure(setting, 'tls_protocol_error', 502)
})

test('U24: an origin that speaks only what is too old fails the step', async () => {
  const tls = {
    ...certify({ host, by: authority }),
    minVersion: 'TLSv1',
    maxVersion: 'TLSv1.1',
    ciphers: 'DEFAULT@SECLEVEL=0',
  } as const
  await using setting = await startSetting(() => {}, { tls })
  await expectFailure(setting, 'tls_protocol_error', 502)
})

test('U24: a connection closed in the middle of the handshake fails the step', async () => {
  const settings = {
    connected: (socket: { once(event: 'data', then: () => void): void; destroy(): void }) =>
      socket.once('data', () => socket.destroy()),
    url: ({ port }: { port: number }) => `https://127.0.0.1:${port}`,
  }
  await using setting = await startSetting(() => {}, settings)
  await expectFailure(setting, 'connection_terminated', 502)
})

const named = certify({ host: 'users.test', by: authority })
const versions = ['TLSv1.2', 'TLSv1.3'] as const
const call: Call = { method: 'GET', path: '/x', headers: [], body: null, accept: () => true, decode: 'raw' }
const answers: Script = (_request, socket) => void socket.write(json({ a: 1 }))
const failed = (error: string) => expect.objectContaining({ ok: false, error }) as unknown

/** A wire to an origin on 127.0.0.1 that the wire knows as users.test. */
async function startWire(
  script: Script,
  tls: TlsOptions | undefined,
  more: Partial<PoolOptions> = {},
  clock?: () => number,
) {
  const origin = await startOrigin(script, tls === undefined ? {} : { tls })
  const wheel = new Wheel(clock)
  const wire = pool(wheel, {
    origin: `${tls === undefined ? 'http' : 'https'}://users.test`,
    address: { host: '127.0.0.1', port: origin.port },
    connections: 10,
    pipelining: 1,
    hurry: () => false,
    connectMs: 1_000,
    maxBodyBytes: 4 * 1024 ** 2,
    maxHeaderBytes: 16 * 1024,
    trusted: false,
    onBroken: () => {},
    onAttempt: () => {},
    ...noLedger,
    ...more,
  })
  return {
    origin,
    wheel,
    send: (differs: Partial<Call> = {}): PromiseLike<Outcome> =>
      wire.upstream({ ...call, ...differs }, new Scope(wheel, Infinity)),
    async [Symbol.asyncDispose]() {
      await wire.destroy()
      await origin[Symbol.asyncDispose]()
    },
  }
}

/** The pattern of a body, in which no piece is like its neighbours. */
const body = Buffer.from(Uint32Array.from({ length: 3 * 2 ** 18 }, (_, i) => Math.imul(i, 2_654_435_761)).buffer)
const sized: Script = (_request, socket) => void socket.write(response(200, {}, body))
const closing: Script = (_request, socket) =>
  void socket.end(Buffer.concat([Buffer.from('HTTP/1.1 200 OK\r\n\r\n'), body]))

const wires: [string, TlsOptions | undefined][] = [
  ['plain HTTP', undefined],
  ...versions.map((version): [string, TlsOptions] => [version, { ...named, maxVersion: version }]),
]

test.each(wires)('by %s a body is read whole, and its connection is used again', async (_, tls) => {
  await using wire = await startWire(sized, tls)
  for (let i = 0; i < 3; i++) {
    const outcome = (await wire.send()) as Outcome & { ok: true }
    expect([outcome.ok, Buffer.compare(outcome.body, body)]).toEqual([true, 0])
  }
  expect([wire.origin.opened, wire.wheel.size]).toEqual([1, 0])
})

test.each(
  wires.flatMap(([by, tls]) => [[by, 'a length', tls, sized] as const, [by, 'no length', tls, closing] as const]),
)(
  'by %s a stream of %s stops when it is asked to, goes on where it stopped, and loses nothing',
  async (_by, _of, tls, script) => {
    await using wire = await startWire(script, tls)
    for (let i = 0; i < 2; i++) {
      const chunks: Uint8Array[] = []
      let flowing = true
      let resume = (): void => {}
      const head = (_status: number, _headers: unknown, onward: () => void): void => void (resume = onward)
      const chunk = (bytes: Uint8Array): boolean => {
        expect(flowing).toBe(true)
        chunks.push(bytes)
        flowing = chunks.length % 3 === 0
        // Some turns of the loop: what has been deciphered or read meanwhile is to wait.
        if (!flowing) after(3, () => ((flowing = true), resume()))
        return flowing
      }
      expect(await wire.send({ sink: { head, chunk } })).toMatchObject({ ok: true, status: 200 })
      expect(Buffer.compare(Buffer.concat(chunks), body)).toBe(0)
    }
    expect([wire.origin.opened, wire.wheel.size]).toEqual([script === sized ? 1 : 2, 0])
  },
)

test.each(wires)('by %s a stream that is stopped leaves what it is not ready for with the origin', async (_, tls) => {
  const sockets: Socket[] = []
  // More than the buffers between would hold.
  const large = response(200, {}, Buffer.alloc(32 * 1024 ** 2))
  await using wire = await startWire((_request, socket) => {
    sockets.push(socket)
    socket.write(large)
  }, tls)
  const flow = (goesOn: boolean): PromiseLike<Outcome> => wire.send({ sink: { head: () => {}, chunk: () => goesOn } })
  void flow(false)
  await wire.origin.until(({ requests }) => requests.length === 1)
  // Time enough for as much as it is to come another way.
  expect(await flow(true)).toMatchObject({ ok: true })
  expect(sockets[0]?.writableLength).toBeGreaterThan(0)
})

function after(turns: number, then: () => void): void {
  setImmediate(() => (turns === 0 ? then() : after(turns - 1, then)))
}

test.each(wires)('by %s a reply of another HTTP is refused', async (_, tls) => {
  const script: Script = (_request, socket) => void socket.write('HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n')
  await using wire = await startWire(script, tls)
  expect(await wire.send()).toEqual(failed('http_protocol_error'))
  await wire.origin.until(({ open }) => open === 0)
})

test('a call goes to the address, and speaks of the name', async () => {
  const names: unknown[] = []
  const script: Script = (request, socket) => {
    names.push((socket as TLSSocket).servername)
    return answers(request, socket)
  }
  await using wire = await startWire(script, named)
  expect(await wire.send()).toMatchObject({ ok: true })
  expect(wire.origin.requests.map(({ headers }) => headers['host'])).toEqual(['users.test'])
  expect(names).toEqual(['users.test'])
})

test('what a call calls its host does not decide whose certificate is good', async () => {
  await using wire = await startWire(answers, named)
  expect(await wire.send({ headers: ['host', 'shop.test'] })).toMatchObject({ ok: true })
  await using other = await startWire(answers, certify({ host: 'shop.test', by: authority }))
  expect(await other.send({ headers: ['host', 'shop.test'] })).toEqual(failed('tls_certificate_error'))
})

test('without TLS a call goes to the address as well, be it of IPv6', async () => {
  for (const address of ['127.0.0.1', '::ffff:127.0.0.1']) {
    await using origin = await startOrigin(answers)
    const options = { origin: 'http://users.test:8080', address: { host: address, port: origin.port } }
    await using wire = await startWire(answers, undefined, options)
    expect(await wire.send()).toMatchObject({ ok: true })
    expect(origin.requests.map(({ headers }) => headers['host'])).toEqual(['users.test:8080'])
  }
})

test('the authorities that an upstream names stand in place of those of Node', async () => {
  const own = certify({})
  const tls = { ca: own.cert }
  await using good = await startWire(answers, certify({ host: 'users.test', by: own }), { tls })
  expect(await good.send()).toMatchObject({ ok: true })
  await using stranger = await startWire(answers, certify({ host: 'users.test', by: own }))
  expect(await stranger.send()).toEqual(failed('tls_certificate_error'))
  await using known = await startWire(answers, named, { tls })
  expect(await known.send()).toEqual(failed('tls_certificate_error'))
  expect([...stranger.origin.requests, ...known.origin.requests]).toEqual([])
})

const own = certify({})
const [past, passed] = [new Date('2020-01-01'), new Date('2020-02-01')]
const wrong: [string, TlsOptions][] = [
  ['has expired', certify({ host: 'users.test', by: own, from: past, to: passed })],
  ['is for another name', certify({ host: 'shop.test', by: own })],
  ['is for the address and not for the name', certify({ host, by: own })],
  ['signs itself', certify({ host: 'users.test' })],
  ['is signed by another authority', named],
]
test.each(versions.flatMap((version) => wrong.map(([what, tls]) => [what, version, tls] as const)))(
  'U24: a certificate that %s is refused by each connection anew (%s), and nothing is sent',
  async (_, version, tls) => {
    await using wire = await startWire(answers, { ...tls, maxVersion: version }, { tls: { ca: own.cert } })
    for (let i = 0; i < 3; i++) expect(await wire.send()).toEqual(failed('tls_certificate_error'))
    expect([wire.origin.requests, wire.origin.opened, wire.wheel.size]).toEqual([[], 3, 0])
    await wire.origin.until(({ open }) => open === 0)
  },
)

test('U24: a handshake that stalls is given up when connecting has taken too long', async () => {
  let now = 0
  await using origin = await startOrigin(() => {})
  const address = { host, port: origin.port }
  await using wire = await startWire(answers, named, { address, tls: { ca: authority.cert } }, () => now)
  const outcome = wire.send()
  await origin.until(({ opened }) => opened === 1)
  now += 996
  wire.wheel.advance()
  expect([origin.open, wire.wheel.size]).toEqual([1, 1])
  now += 4
  wire.wheel.advance()
  expect(await outcome).toEqual(failed('connection_timeout'))
  await origin.until(({ open }) => open === 0)
  expect(wire.wheel.size).toBe(0)
})

test.each(versions)('a client certificate that is demanded is shown (%s)', async (maxVersion) => {
  const ours = certify({ host: 'gateway.test', by: authority })
  const peers: unknown[] = []
  const script: Script = (request, socket) => {
    peers.push((socket as TLSSocket).getPeerX509Certificate()?.toString())
    return answers(request, socket)
  }
  const demanding = { ...named, maxVersion, ca: authority.cert, requestCert: true, rejectUnauthorized: true }
  await using wire = await startWire(script, demanding, { tls: ours })
  expect(await wire.send()).toMatchObject({ ok: true })
  expect(peers).toEqual([ours.cert])
})

test.each(versions)(
  'a client certificate that is demanded and not there, or not trusted, fails the call (%s)',
  async (maxVersion) => {
    const demanding = { ...named, maxVersion, ca: authority.cert, requestCert: true, rejectUnauthorized: true }
    for (const tls of [{ ca: authority.cert }, { ca: authority.cert, ...certify({ host: 'gateway.test', by: own }) }]) {
      await using wire = await startWire(answers, demanding, { tls })
      const outcome = await wire.send()
      // In TLS 1.3 the client is done before it is judged; and not every server says why it closes.
      const told = expect.stringMatching(/^(tls_protocol_error|connection_terminated)$/) as unknown
      expect([outcome, wire.origin.requests]).toEqual([expect.objectContaining({ ok: false, error: told }), []])
    }
  },
)

test('an upstream at an address can be held to a name', async () => {
  const names: unknown[] = []
  const script: Script = (request, socket) => {
    names.push((socket as TLSSocket).servername)
    return answers(request, socket)
  }
  const at = (origin: Origin) => `https://127.0.0.1:${origin.port}`
  const tls = { ca: authority.cert, serverName: 'users.test' }
  await using origin = await startOrigin(script, { tls: named })
  const address = { host, port: origin.port }
  await using wire = await startWire(script, named, { origin: at(origin), address, tls })
  expect(await wire.send()).toMatchObject({ ok: true })
  expect(origin.requests.map(({ headers }) => headers['host'])).toEqual([`127.0.0.1:${origin.port}`])
  expect(names).toEqual(['users.test'])

  await using other = await startOrigin(script, { tls: certify({ host, by: authority }) })
  const toOther = { origin: at(other), address: { host, port: other.port } }
  await using strict = await startWire(script, named, { ...toOther, tls })
  expect(await strict.send()).toEqual(failed('tls_certificate_error'))
  // By itself the certificate is good.
  await using lenient = await startWire(script, named, { ...toOther, tls: { ca: authority.cert } })
  expect(await lenient.send()).toMatchObject({ ok: true })
  expect(names).toEqual(['users.test', false])
})

test('an upstream with a name can be held to another', async () => {
  const tls = { serverName: 'users.test' }
  await using wire = await startWire(answers, named, { origin: 'https://shop.test', tls })
  expect(await wire.send()).toMatchObject({ ok: true })
  expect(wire.origin.requests.map(({ headers }) => headers['host'])).toEqual(['shop.test'])
})
