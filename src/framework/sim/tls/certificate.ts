/**
 * Certificates of the simulated world: what a real one says, as plain text, and nobody's signature but a number.
 *
 * They go where real ones go (`cert`, `key`, `ca`), so a program does not know the difference; over real sockets they
 * are refused as no PEM, and real ones are refused here. Ancestor: `twisted.internet.ssl.KeyPair.selfSignedCert`.
 */
import { ipAddress } from '../../core/address.ts'
import { type Data, toBytes, toText } from '../../core/bytes.ts'
import type { PeerCertificate } from '../../core/tls.ts'
import { keyOf } from '../random-stream.ts'

/** What a certificate says. */
export interface CertificateOptions {
  /** Whom it is for: the server's names and IP addresses, the main one first; `*.poems.example` is every name there. */
  readonly names: readonly string[]
  /** Who signs it. Itself unless given, as authorities do. */
  readonly by?: Identity
  /** The first and the last moment at which it is valid, in milliseconds since 1970. Always valid unless given. */
  readonly validFrom?: number
  readonly validTo?: number
  /** The side of a connection that it is made for. Both unless given. */
  readonly purpose?: 'server' | 'client'
}

/** A certificate and its key, as TLS options want them; `cert` alone is what others trust as `ca`. */
export interface Identity {
  readonly cert: string
  readonly key: string
}

/** A certificate that was read. */
export interface Certificate extends Required<Omit<CertificateOptions, 'by' | 'purpose'>> {
  readonly purpose: 'server' | 'client' | 'both'
  readonly subject: string
  readonly issuer: string
  /** The number of its own key, and of the key that has signed it. */
  readonly key: number
  readonly signedBy: number
}

/** Why something cannot be used or is not accepted, with OpenSSL's code for it. */
export class CertificateProblem extends Error {
  readonly code: string
  /** For `handshakeError`: what else there is to say. */
  readonly reason: string | undefined

  constructor(code: string, reason?: string) {
    super(reason ?? code)
    this.code = code
    this.reason = reason
  }
}

const begin = '-----BEGIN SIMULATED CERTIFICATE-----'
const end = '-----END SIMULATED CERTIFICATE-----'
const beginKey = '-----BEGIN SIMULATED KEY-----'
const endKey = '-----END SIMULATED KEY-----'
/** The years 1 and 9999. */
const always = { validFrom: -62_135_596_800_000, validTo: 253_402_300_799_000 }

/**
 * Makes a certificate for the simulated world. The same words make the same certificate.
 *
 * @example
 * const authority = certify({ names: ['authority'] })
 * const server = certify({ names: ['poems.example', '10.0.0.1'], by: authority })
 * reactor.listen(address, accept, { tls: server })
 * other.dial(address, { tls: { ca: authority.cert, serverName: 'poems.example' } })
 */
export function certify(options: CertificateOptions): Identity {
  const { names, by, validFrom = always.validFrom, validTo = always.validTo, purpose = 'both' } = options
  const issuer = by === undefined ? undefined : readCertificates(by.cert)[0]
  const subject = `CN=${names[0] ?? ''}`
  const key = keyOf(JSON.stringify([names, issuer, validFrom, validTo, purpose])) >>> 0
  const certificate: Certificate = {
    names,
    subject,
    issuer: issuer?.subject ?? subject,
    validFrom,
    validTo,
    purpose,
    key,
    signedBy: issuer?.key ?? key,
  }
  const own = `${begin}\n${JSON.stringify(certificate)}\n${end}\n`
  // Whoever was signed by somebody who was signed shows both; nobody shows the last authority.
  const between = by === undefined || issuer?.signedBy === issuer?.key ? '' : by.cert
  return { cert: own + between, key: `${beginKey}\n${key}\n${endKey}\n` }
}

/** The certificates in a text, in order. @throws CertificateProblem if there is none */
export function readCertificates(data: Data): Certificate[] {
  const parts = textOf(data).split(begin).slice(1)
  const found = parts.map((part) => parse(part.slice(0, Math.max(part.indexOf(end), 0))))
  if (found.length === 0) throw new CertificateProblem('ERR_OSSL_PEM_NO_START_LINE')
  return found
}

/** All of the authorities in `ca`. @throws CertificateProblem */
export function readAuthorities(ca: Data | readonly Data[] | undefined): Certificate[] {
  if (ca === undefined) return []
  return (typeof ca === 'string' || ca instanceof Uint8Array ? [ca] : ca).flatMap((one) => readCertificates(one))
}

/** @throws CertificateProblem if `key` is no key, or not that of `cert` */
export function checkIdentity(cert: Data, key: Data): void {
  const text = textOf(key)
  const [leaf] = readCertificates(cert)
  if (!text.startsWith(beginKey)) throw new CertificateProblem('ERR_OSSL_PEM_NO_START_LINE')
  const number = Number(text.slice(beginKey.length, Math.max(text.indexOf(endKey), 0)))
  if (number !== leaf?.key) throw new CertificateProblem('ERR_OSSL_X509_KEY_VALUES_MISMATCH')
}

/** Whose certificate one has to be, and when. */
export interface Expected {
  readonly trusted: readonly Certificate[]
  /** The date, in milliseconds since 1970, by the clock of whoever asks. */
  readonly date: number
  readonly side: 'server' | 'client'
  /** The name that it has to have, if one is looked for. */
  readonly name?: string | undefined
}

/** What is wrong with the certificate that stands first in `chain`; the others may lead from it to one that is trusted. */
export function whyNotAccepted(chain: readonly Certificate[], expected: Expected): CertificateProblem | undefined {
  const [leaf] = chain
  if (leaf === undefined) return new CertificateProblem('ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE')
  const code = brokenLink(chain, expected.trusted) ?? wrongItself(chain, expected)
  if (code !== undefined) return new CertificateProblem(code)
  const { name } = expected
  if (name === undefined || leaf.names.some((pattern) => names(pattern, name))) return undefined
  const wanted = ipAddress(name) === undefined ? `Host: ${name}. is not in` : `IP: ${name} is not in`
  return new CertificateProblem('ERR_TLS_CERT_ALTNAME_INVALID', `${wanted} the cert's list: ${altNames(leaf)}`)
}

function brokenLink(chain: readonly Certificate[], trusted: readonly Certificate[]): string | undefined {
  let current = chain[0]!
  for (let steps = 0; steps <= chain.length; steps++) {
    const { key, signedBy } = current
    if (trusted.some((one) => one.key === key || one.key === signedBy)) return undefined
    if (key === signedBy) return current === chain[0] ? 'DEPTH_ZERO_SELF_SIGNED_CERT' : 'SELF_SIGNED_CERT_IN_CHAIN'
    const next = chain.find((one) => one.key === signedBy)
    if (next === undefined) break
    current = next
  }
  return current === chain[0] ? 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' : 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY'
}

function wrongItself(chain: readonly Certificate[], { date, side }: Expected): string | undefined {
  if (chain.some(({ validFrom }) => date < validFrom)) return 'CERT_NOT_YET_VALID'
  if (chain.some(({ validTo }) => date > validTo)) return 'CERT_HAS_EXPIRED'
  return chain[0]!.purpose === 'both' || chain[0]!.purpose === side ? undefined : 'INVALID_PURPOSE'
}

/** What a program is shown of it. */
export function peerCertificate(certificate: Certificate): PeerCertificate {
  const { subject, issuer, key, validFrom, validTo } = certificate
  const number = key.toString(16).padStart(8, '0').toUpperCase().repeat(8)
  return {
    der: toBytes(JSON.stringify(certificate)),
    subject,
    issuer,
    names: altNames(certificate),
    fingerprint: (number.match(/../g) ?? []).join(':'),
    validFrom: asText(validFrom),
    validTo: asText(validTo),
  }
}

function asText(moment: number): string {
  // oxlint-disable-next-line no-restricted-globals -- no clock is read: the moment is given
  return new Date(moment).toISOString()
}

function altNames({ names: all }: Certificate): string {
  return all.map((name) => `${ipAddress(name) === undefined ? 'DNS' : 'IP Address'}:${name}`).join(', ')
}

/** Whether `pattern` is for `name`; its star stands for one label (RFC 6125, section 6.4.3). */
function names(pattern: string, name: string): boolean {
  const [one, other] = [pattern.toLowerCase(), name.toLowerCase().replace(/\.$/, '')]
  if (one === other) return true
  return one.startsWith('*.') && ipAddress(name) === undefined && other.slice(other.indexOf('.')) === one.slice(1)
}

function parse(text: string): Certificate {
  try {
    return JSON.parse(text) as Certificate
  } catch {
    throw new CertificateProblem('ERR_OSSL_PEM_BAD_BASE64_DECODE')
  }
}

function textOf(data: Data): string {
  return typeof data === 'string' ? data : toText(data)
}
