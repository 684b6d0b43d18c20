/**
 * What TLS is to be like, and what it turned out to be, in words that belong to no platform.
 *
 * Certificates and keys are PEM, as text or bytes; reading files is somebody else's business. The peer is verified
 * unless `insecure` says why not: there is no other switch. Ancestor: `optionsForClientTLS` and `CertificateOptions` of
 * `twisted.internet.ssl`.
 */
import type { Data } from './bytes.ts'

/** Versions of TLS that are spoken; older ones are broken. */
export type TLSVersion = 'TLSv1.2' | 'TLSv1.3'

/** What both sides may say. */
export interface TLSOptions {
  /** Our certificate and those between it and its authority, one after the other. PEM. */
  readonly cert?: Data | undefined
  /** The private key of the certificate. PEM, not encrypted. */
  readonly key?: Data | undefined
  /** The authorities that are trusted, instead of those that the system trusts. PEM; several in one, or a list. */
  readonly ca?: Data | readonly Data[] | undefined
  /** Protocols that we speak above TLS (ALPN, RFC 7301), the one liked best first. */
  readonly alpn?: readonly string[] | undefined
  /** The oldest version that is accepted. `TLSv1.2` unless given. */
  readonly minVersion?: TLSVersion | undefined
  /** The newest version that is offered. `TLSv1.3` unless given. */
  readonly maxVersion?: TLSVersion | undefined
  /** Milliseconds that the handshake may take, from its first byte. 10,000 unless given. */
  readonly handshakeTimeout?: number | undefined
}

/** How a client speaks TLS. A client that shows a certificate of its own gives `cert` and `key`. */
export interface TLSClientOptions extends TLSOptions {
  /**
   * Whom the server's certificate must name, and whom we ask for (SNI). The host that was dialed, unless given.
   */
  readonly serverName?: string | undefined
  /**
   * Take any certificate, and so any server: nobody is kept from listening in or playing the server. The reason is
   * reported when it is first used, every time the program runs.
   */
  readonly insecure?: { readonly reason: string } | undefined
}

/** How a server speaks TLS. `cert` and `key` are required. */
export interface TLSServerOptions extends TLSOptions {
  /** Only clients that show a certificate, signed by one of `ca`, are let in. */
  readonly requestCert?: boolean | undefined
}

/** How `startTLS` goes on: which side we are, and its options. */
export type StartTLSOptions =
  ({ readonly role: 'client' } & TLSClientOptions) | ({ readonly role: 'server' } & TLSServerOptions)

/** What the peer's certificate says. Texts are the peer's: escape them before they reach a log. */
export interface PeerCertificate {
  /** The whole certificate, in DER. */
  readonly der: Uint8Array
  /** Whom it names, as OpenSSL writes it: `CN=poems.example`. */
  readonly subject: string
  /** Who signed it. */
  readonly issuer: string
  /** The names it is good for, as OpenSSL writes them: `DNS:poems.example, IP Address:127.0.0.1`. */
  readonly names: string
  /** SHA-256 of the certificate, in hexadecimal with colons. */
  readonly fingerprint: string
  /** The first and the last moment at which it is valid, as text. */
  readonly validFrom: string
  readonly validTo: string
}

/** What was agreed upon in a handshake. */
export interface TLSFacts {
  /** `TLSv1.3`. */
  readonly version: string
  /** The cipher's name in the standards. */
  readonly cipher: string
  /** The protocol that both sides speak (ALPN), if they agreed on one. */
  readonly alpn: string | undefined
  /** The name that the client asked for (SNI), if it did. */
  readonly serverName: string | undefined
  /** The peer was verified: its certificate is signed by one we trust and, for a server, names whom we wanted. */
  readonly verified: boolean
  /** The peer's certificate, if it showed one. */
  readonly peerCertificate: PeerCertificate | undefined
}

/** Milliseconds that a handshake may take unless told otherwise. */
export const handshakeTimeout = 10_000

const common = ['cert', 'key', 'ca', 'alpn', 'minVersion', 'maxVersion', 'handshakeTimeout']
const known = {
  client: new Set([...common, 'serverName', 'insecure', 'role']),
  server: new Set([...common, 'requestCert', 'role']),
}

/**
 * Looks through options that may come from plain JavaScript: one that is misspelled or half given must not leave a
 * connection unprotected.
 *
 * @throws TypeError that says which option is wrong, and how it is written
 */
export function checkTLSOptions(role: 'client' | 'server', options: TLSClientOptions & TLSServerOptions): void {
  for (const name of Object.keys(options)) {
    if (known[role].has(name)) continue
    const hint = /^(rejectUnauthorized|checkServerIdentity)$/.test(name)
      ? ' (the peer is always verified; `insecure: { reason }` is the only way not to)'
      : ` (there are: ${[...known[role]].join(', ')})`
    throw new TypeError(`TLS for a ${role} has no option ${JSON.stringify(name)}${hint}`)
  }
  const { cert, key, alpn, minVersion, maxVersion, insecure, serverName, requestCert, handshakeTimeout: ms } = options
  if ((cert === undefined) !== (key === undefined)) {
    throw new TypeError(
      `TLS needs both \`cert\` and \`key\`, or neither: ${cert === undefined ? 'cert' : 'key'} is missing`,
    )
  }
  if (role === 'server' && cert === undefined) throw new TypeError('a TLS server needs `cert` and `key`')
  for (const [name, version] of Object.entries({ minVersion, maxVersion })) {
    if (version !== undefined && version !== 'TLSv1.2' && version !== 'TLSv1.3') {
      throw new TypeError(`${name} is TLSv1.2 or TLSv1.3, not ${String(version)}`)
    }
  }
  if (insecure !== undefined && !(typeof insecure === 'object' && /\S/.test(insecure?.reason ?? ''))) {
    throw new TypeError('`insecure` says why: insecure: { reason: "…" }; without a reason the peer is verified')
  }
  if (serverName !== undefined && (typeof serverName !== 'string' || serverName === '')) {
    throw new TypeError('`serverName` is the name that the certificate must have, not empty')
  }
  if (requestCert !== undefined && typeof requestCert !== 'boolean') {
    throw new TypeError(`\`requestCert\` is true or false, not ${String(requestCert)}`)
  }
  if (alpn?.some((name) => name.length === 0 || name.length > 255) === true) {
    throw new TypeError('each name in `alpn` has 1 to 255 bytes')
  }
  if (ms !== undefined && !(ms > 0 && ms < Infinity)) {
    throw new TypeError(`\`handshakeTimeout\` is a number of milliseconds above 0, not ${ms}`)
  }
}
