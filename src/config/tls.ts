import { createPrivateKey, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { createSecureContext } from 'node:tls'

import { z } from 'zod'

const CERTIFICATE = /-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gs

const certificates = z
  .string()
  // Node passes over what it cannot read, and would then trust nobody, or show nothing.
  .refine((pem) => certificatesOf(pem).length > 0, { error: 'expected a file of certificates in PEM' })

const key = z.string().refine((pem) => attempt(() => createPrivateKey(pem)) !== null, {
  error: 'expected a file with a private key in PEM, without a passphrase',
})

/** How an upstream's certificate is judged, and which one it is shown: written as files, read as their texts. */
export const tls = z
  .strictObject({
    ca: certificates.describe('A file of certificates to trust, in place of Node’s own.').exactOptional(),
    cert: certificates.describe('A file with the certificate that the gateway shows.').exactOptional(),
    key: key.describe('A file with the key of that certificate.').exactOptional(),
    serverName: z
      .string()
      .refine((name) => name !== '' && isIP(name) === 0, { error: 'expected a name such as users.internal' })
      .describe('The name that the upstream’s certificate must have.')
      .exactOptional(),
  })
  .check(({ value, issues }) => {
    const wrong = wrongPair(value)
    if (wrong !== undefined) issues.push({ code: 'custom', input: value, message: wrong })
  })

function wrongPair({ cert, key: own }: { readonly cert?: string; readonly key?: string }): string | undefined {
  if (cert === undefined) return own === undefined ? undefined : '"key" needs the "cert" that it belongs to'
  if (own === undefined) return '"cert" needs its "key"'
  const fits = attempt(() => certificatesOf(cert)[0]?.checkPrivateKey(createPrivateKey(own)))
  if (fits === false) return '"key" is not the key of "cert"'
  // What cannot be read has a fault of its own; what is read may still be too weak.
  const usable = fits !== true || attempt(() => createSecureContext({ cert, key: own })) !== null
  return usable ? undefined : '"cert" and "key" are too weak, or of a kind that TLS does not know'
}

/** The certificates of a text; none when one of them cannot be read. */
function certificatesOf(pem: string): X509Certificate[] {
  return attempt(() => (pem.match(CERTIFICATE) ?? []).map((one) => new X509Certificate(one))) ?? []
}

function attempt<T>(make: () => T): T | null {
  try {
    return make()
  } catch {
    return null
  }
}
