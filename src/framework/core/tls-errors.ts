/**
 * What OpenSSL and Node say about TLS, in words for people: whose fault it is, and what to try.
 *
 * The simulated world says the same with the same codes. No ancestor: Twisted hands on `OpenSSL.SSL.Error` as it is.
 */
import { report } from '../deferred/reporter.ts'
import type { Address } from './address.ts'
import { codeOf, TLSError, withoutStack } from './errors.ts'
import type { TLSClientOptions } from './tls.ts'

/** What is wrong with a peer's certificate, by OpenSSL's codes (`X509_V_ERR_…`) and Node's one. */
const certificates: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet (is the clock of this machine right?)',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is signed by itself (trust it by putting it into `ca`)',
  SELF_SIGNED_CERT_IN_CHAIN: 'its authority is not one that is trusted (put the authority into `ca`)',
  UNABLE_TO_GET_ISSUER_CERT: 'its authority is not one that is trusted (put the authority into `ca`)',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its authority is not one that is trusted (put the authority into `ca`)',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'its authority is not known (put the authority into `ca`; does the peer send the certificates in between?)',
  CERT_REVOKED: 'its certificate was revoked',
  INVALID_PURPOSE: 'its certificate is not made for this side of a connection',
  CERT_SIGNATURE_FAILURE: 'the signature of its certificate is wrong',
  ERR_TLS_CERT_ALTNAME_FORMAT: 'the names in its certificate cannot be read',
}

/** What is wrong with a handshake. */
const handshakes: Readonly<Record<string, string>> = {
  ERR_SSL_HTTP_REQUEST: 'not TLS: it sent a plain HTTP request (https is meant?)',
  ERR_SSL_HTTPS_PROXY_REQUEST: 'not TLS: it sent a plain request for an HTTP proxy',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'the two sides have no version of TLS in common (see minVersion)',
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: 'the peer speaks no version of TLS that we do (see minVersion)',
  ERR_SSL_NO_SHARED_CIPHER: 'the two sides have no cipher in common',
  ERR_SSL_NO_APPLICATION_PROTOCOL: 'the two sides have no protocol in common (see alpn)',
  ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL: 'the peer speaks none of the protocols that we offer (see alpn)',
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: 'it showed no certificate, and this server wants one',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: 'the peer wants a certificate of ours (give cert and key)',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'the peer does not trust the authority of our certificate',
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: 'the peer does not accept our certificate',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: 'the peer does not accept our certificate',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: 'the peer says that our certificate has expired',
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: 'the peer refused the handshake (no common cipher, or it wants a certificate)',
}

/** Whoever says these has not been sent TLS. */
const notTLS = new Set([
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
  'ERR_SSL_DATA_LENGTH_TOO_LONG',
  'ERR_SSL_RECORD_TOO_SMALL',
  'ERR_SSL_BAD_RECORD_TYPE',
  'ERR_SSL_RECORD_LAYER_FAILURE',
  'ERR_SSL_UNEXPECTED_MESSAGE',
  'ERR_SSL_WRONG_SSL_VERSION',
])

/** A handshake with `peer` failed with one of Node's errors. */
export function handshakeError(peer: Address, error: Error): TLSError {
  // What a peer did wrong is in no line of ours.
  return withoutStack(() => whatFailed(peer, error))
}

function whatFailed(peer: Address, error: Error): TLSError {
  const code = codeOf(error) ?? 'ERR_TLS'
  const options = { cause: error }
  const certificate = certificates[code]
  if (certificate !== undefined) return new TLSError(peer, 'verification', code, `not secure: ${certificate}`, options)
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return new TLSError(
      peer,
      'verification',
      code,
      `not secure: its certificate is another one's: ${reasonOf(error)}`,
      options,
    )
  }
  return new TLSError(peer, 'handshake', code, whyNoHandshake(code, error), options)
}

function whyNoHandshake(code: string, error: Error): string {
  if (notTLS.has(code)) return 'not TLS: what it sent is something else (does this port speak TLS?)'
  if (code === 'ECONNRESET' || code === 'EPIPE') {
    return 'it closed the connection before TLS was established (does this port speak TLS?)'
  }
  return handshakes[code] ?? `TLS failed: ${reasonOf(error)}`
}

/** OpenSSL's own word, or, of a wrong name, whom the certificate names; never the peer's bytes. */
function reasonOf(error: Error): string {
  const reason: unknown = Reflect.get(error, 'reason')
  return typeof reason === 'string' ? reason : error.message
}

/** What TLS has to say about an error of a connection that was secure; nothing, if it is not about TLS. */
export function alertError(peer: Address, error: Error): TLSError | undefined {
  return codeOf(error)?.startsWith('ERR_SSL_') === true ? handshakeError(peer, error) : undefined
}

/** Our own certificate, key or authorities cannot be used. */
export function certificateError(where: Address, error: Error): TLSError {
  const code = codeOf(error) ?? 'ERR_TLS_CERTIFICATE'
  return new TLSError(where, 'certificate', code, whyUnusable(code, error), { cause: error })
}

function whyUnusable(code: string, error: Error): string {
  switch (code) {
    case 'ERR_OSSL_X509_KEY_VALUES_MISMATCH':
      return 'the private key does not belong to the certificate'
    case 'ERR_OSSL_X509_KEY_TYPE_MISMATCH':
      return 'the private key is of another kind than that of the certificate'
    case 'ERR_OSSL_PEM_NO_START_LINE':
    case 'ERR_OSSL_UNSUPPORTED':
    case 'ERR_OSSL_PEM_BAD_BASE64_DECODE':
    case 'ERR_OSSL_PEM_BAD_END_LINE':
      return 'the key, the certificate or an authority is not PEM (-----BEGIN …) that can be read'
    case 'ERR_MISSING_PASSPHRASE':
    case 'ERR_OSSL_CRYPTO_INTERRUPTED_OR_CANCELLED':
      return 'the private key is encrypted, and there is nobody to ask for its password'
    case 'ERR_SSL_EE_KEY_TOO_SMALL':
    case 'ERR_SSL_CA_MD_TOO_WEAK':
    case 'ERR_SSL_CA_KEY_TOO_SMALL':
      return 'the certificate is too weak to be used'
    default:
      return `the certificate or its key cannot be used: ${error.message}`
  }
}

/** The handshake took too long. */
export function handshakeTimedOut(peer: Address, ms: number): TLSError {
  const why = `no TLS handshake within ${ms} ms (does the other side speak TLS?)`
  return new TLSError(peer, 'handshake', 'ERR_TLS_HANDSHAKE_TIMEOUT', why)
}

/** Nobody waits for the handshake any more. */
export function handshakeCancelled(peer: Address): TLSError {
  return new TLSError(peer, 'handshake', 'ERR_TLS_CANCELLED', 'the handshake was given up')
}

/** The end that TLS did not announce. */
export function cutError(peer: Address): TLSError {
  const why = 'it ended without the goodbye of TLS (close_notify): it may be cut short, by whoever is in between'
  return new TLSError(peer, 'end', 'ERR_TLS_CUT', why)
}

/** Whom to look for in a server's certificate. @throws TypeError if there is no name, and the peer is to be verified */
export function serverNameFor(peer: Address, { serverName, insecure }: TLSClientOptions): string | undefined {
  const name = serverName ?? ('host' in peer ? peer.host : undefined)
  if (name !== undefined || insecure !== undefined) return name
  throw new TypeError('there is no name to look for in the certificate (give serverName)')
}

const warned = new WeakSet<object>()

/** Reports that a peer is not verified, once for each place in the program that says so. */
export function warnOfInsecurity(peer: Address, insecure: { readonly reason: string }): void {
  if (warned.has(insecure)) return
  warned.add(insecure)
  const error = new TLSError(peer, 'verification', 'ERR_TLS_INSECURE', `not verified, on purpose: ${insecure.reason}`)
  report({ error, what: 'TLS without verification: anybody may listen in', subject: peer })
}
