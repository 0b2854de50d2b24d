import { type KeyObject, X509Certificate, generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { isIPv4 } from 'node:net'

/** A certificate with its key, both as PEM. */
export interface Certified {
  readonly cert: string
  readonly key: string
}

/** What a certificate says, and who signs it: itself when nobody else is named. */
export interface Claims {
  /** The name or IPv4 address that it is for; none makes it an authority. */
  readonly host?: string
  readonly from?: Date
  readonly to?: Date
  readonly by?: Certified
  /** With a key that nobody should use. */
  readonly weak?: true
}

const day = 86_400_000

/** Makes a certificate (RFC 5280), in DER written by hand: not every machine that runs the tests has an openssl. */
export function certify({ host, from, to, by, weak }: Claims): Certified {
  const { publicKey, privateKey } =
    weak === undefined
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('rsa', { modulusLength: 1024 })
  const subject = nameOf(host === undefined ? 'the test authority' : `an origin ${randomBytes(4).toString('hex')}`)
  const issuer = by === undefined ? subject : nameOf('the test authority')
  const tbs = sequence(
    tlv(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ecdsaWithSha256,
    issuer,
    sequence(time(from ?? new Date(Date.now() - day)), time(to ?? new Date(Date.now() + day))),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
    tlv(0xa3, sequence(host === undefined ? authority : alternativeName(host))),
  )
  const signer: KeyObject | string = by?.key ?? privateKey
  const der = sequence(tbs, ecdsaWithSha256, tlv(0x03, Buffer.from([0]), sign('sha256', tbs, signer)))
  return {
    cert: new X509Certificate(der).toString(),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

function tlv(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts)
  const { length } = body
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), body])
  return Buffer.concat([Buffer.from([tag, 0x82, length >> 8, length & 0xff]), body])
}

const sequence = (...parts: readonly Uint8Array[]): Buffer => tlv(0x30, ...parts)
const integer = (bytes: Uint8Array): Buffer => tlv(0x02, bytes)
const oid = (hex: string): Buffer => tlv(0x06, Buffer.from(hex, 'hex'))
const ecdsaWithSha256 = sequence(oid('2a8648ce3d040302'))

const nameOf = (common: string): Buffer => sequence(tlv(0x31, sequence(oid('550403'), tlv(0x0c, Buffer.from(common)))))

function time(at: Date): Buffer {
  const text = at.toISOString().replace(/[-:T]|\.\d+/g, '')
  // Two digits of a year until 2049, four from then on.
  return at.getUTCFullYear() < 2050 ? tlv(0x17, Buffer.from(text.slice(2))) : tlv(0x18, Buffer.from(text))
}

const truth = tlv(0x01, Buffer.from([0xff]))
const authority = sequence(oid('551d13'), truth, tlv(0x04, sequence(truth)))

function alternativeName(host: string): Buffer {
  const name = isIPv4(host) ? tlv(0x87, Buffer.from(host.split('.').map(Number))) : tlv(0x82, Buffer.from(host))
  return sequence(oid('551d11'), tlv(0x04, sequence(name)))
}
