import { type TlsOptions, getCACertificates, setDefaultCACertificates } from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { certify } from '../support/certificate.ts'
import { json } from '../support/origin.ts'
import { expectAlive, expectFailure, startSetting } from './setting.ts'

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
  const settings = { upstream: 'connect: 100ms', url: ({ port }: { port: number }) => `https://127.0.0.1:${port}` }
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
