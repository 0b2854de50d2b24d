import { expect, test } from 'vitest'
import { certify } from '../support/certificate.ts'
import { folder } from './reading.ts'

const authority = certify({})
const ours = certify({ host: 'gateway.test', by: authority })
const weak = certify({ host: 'gateway.test', by: authority, weak: true })
const broken = authority.cert.replace(/\n.{20}/, '\nAAAAAAAAAAAAAAAAAAAA')

const files = {
  'ca.pem': authority.cert,
  'both.pem': authority.cert + ours.cert,
  'broken.pem': authority.cert + broken,
  'cert.pem': ours.cert,
  'key.pem': ours.key,
  'weak.pem': weak.cert,
  'weak.key': weak.key,
  'text.pem': 'hello',
}

/** Loads a config whose upstream, and whose defaults, have such a `tls`. */
async function load(tls: string, defaults = '{}') {
  using written = folder({
    ...files,
    'teams/users.yaml': `upstreams:\n  users: { endpoints: ["https://users.test"], tls: ${tls} }\n`,
    'gateway.yaml': `include: [teams/users.yaml]\ndefaults: ${defaults}\nroutes: [{ match: GET /x, forward: users }]\n`,
  })
  return written.load('gateway.yaml', { env: { KEY: '../key.pem', CA: '../secret.pem' } })
}

test('what is written as files is read as their texts, relative to the file that names them', async () => {
  const tls = '{ ca: ../both.pem, cert: ../cert.pem, key: "${KEY}", serverName: users.internal }'
  const { config, faults, files: read } = await load(tls)
  expect(faults).toEqual([])
  expect(config?.upstreams['users']?.tls).toEqual({
    ca: files['both.pem'],
    cert: ours.cert,
    key: ours.key,
    serverName: 'users.internal',
  })
  expect(read).toEqual(['both.pem', 'cert.pem', 'gateway.yaml', 'key.pem', 'teams/users.yaml'])
})

test('an upstream has the tls of the defaults, or one of its own, and never a mixture', async () => {
  const { config, faults } = await load('{ serverName: users.internal }', '{ tls: { ca: ca.pem } }')
  expect([faults, config?.upstreams['users']?.tls]).toEqual([[], { serverName: 'users.internal' }])
  using written = folder({
    'ca.pem': authority.cert,
    'gateway.yaml':
      'defaults: { tls: { ca: ca.pem } }\nupstreams: { a: { endpoints: ["https://a"] } }\nroutes: [{ match: GET /x, forward: a }]\n',
  })
  expect((await written.load('gateway.yaml')).config?.upstreams['a']?.tls).toEqual({ ca: authority.cert })
})

test.each([
  ['{ ca: no.pem }', '58: "no.pem" cannot be read: no such file'],
  ['{ ca: .. }', '58: ".." cannot be read: it is a directory'],
  ['{ ca: "${CA}" }', '58: "${CA}" cannot be read: no such file'],
  ['{ ca: [../ca.pem] }', '58: expected a file such as ./ca.pem'],
  ['{ ca: 5 }', '58: expected a file such as ./ca.pem'],
  ['{ ca: ../text.pem }', '58: expected a file of certificates in PEM'],
  ['{ ca: ../key.pem }', '58: expected a file of certificates in PEM'],
  ['{ ca: ../broken.pem }', '58: expected a file of certificates in PEM'],
  ['{ cert: ../text.pem, key: ../key.pem }', '60: expected a file of certificates in PEM'],
  ['{ cert: ../cert.pem, key: ../text.pem }', '78: expected a file with a private key in PEM, without a passphrase'],
  ['{ cert: ../cert.pem }', '47: "cert" needs its "key"'],
  ['{ key: ../key.pem }', '47: "key" needs the "cert" that it belongs to'],
  ['{ cert: ../weak.pem, key: ../weak.key }', '47: "cert" and "key" are too weak, or of a kind that TLS does not know'],
  ['{ cert: ../ca.pem, key: ../key.pem }', '47: "key" is not the key of "cert"'],
  ['{ serverName: 10.0.0.1 }', '66: expected a name such as users.internal'],
  ['{ serverName: "::1" }', '66: expected a name such as users.internal'],
  ['{ serverName: "" }', '66: expected a name such as users.internal'],
])('tls: %s is a fault', async (tls, fault) => {
  expect((await load(tls)).faults).toEqual([`teams/users.yaml:2:${fault}`])
})

test('a file that the defaults name is looked for as well', async () => {
  expect((await load('{}', '{ tls: { ca: no.pem } }')).faults).toEqual([
    'gateway.yaml:2:24: "no.pem" cannot be read: no such file',
  ])
})
