/**
 * What a PROXY protocol header says: who is really connected to whom, and what else the proxy knows.
 *
 * Source: proxy-protocol.txt of HAProxy, sections 2.1 and 2.2. Ancestor: `ProxyInfo` of
 * `twisted.protocols.haproxy`, which skips everything but the addresses.
 */
import type { IPAddress, UNIXAddress } from '../core/address.ts'
import { toText } from '../core/bytes.ts'

/** An address that a PROXY header can hold. */
export type ProxiedAddress = IPAddress | UNIXAddress

/** One more thing that a proxy says, in version 2: a type and a value. */
export interface ProxyTLV {
  /** 0 to 255; 0xE0 to 0xEF are for applications. */
  readonly type: number
  readonly value: Uint8Array
}

/** The types that the specification names (section 2.2). */
export const proxyTLV = {
  alpn: 0x01,
  authority: 0x02,
  crc32c: 0x03,
  noop: 0x04,
  uniqueId: 0x05,
  ssl: 0x20,
  netns: 0x30,
} as const

/** What the proxy says about the TLS connection that the client made to it. Texts are the client's: escape them. */
export interface ProxySSL {
  /** The client connected by TLS. */
  readonly tls: boolean
  /** The client showed a certificate, on this connection or in the session that it resumed, and it was verified. */
  readonly verified: boolean
  /** As in `TLSv1.3`. */
  readonly version: string | undefined
  /** The common name in the client's certificate. */
  readonly commonName: string | undefined
  /** As in `ECDHE-RSA-AES128-GCM-SHA256`. */
  readonly cipher: string | undefined
  readonly signatureAlgorithm: string | undefined
  readonly keyAlgorithm: string | undefined
}

/** What a PROXY protocol header says. */
export class ProxyHeader {
  readonly version: 1 | 2
  /** `LOCAL`: the proxy connects for itself, to see whether we live. `PROXY`: for a client. Version 1 is `PROXY`. */
  readonly command: 'LOCAL' | 'PROXY'
  /** The client. Unknown for LOCAL, UNKNOWN and UNSPEC; then the addresses of the socket are the right ones. */
  readonly source: ProxiedAddress | undefined
  /** The address that the client connected to. */
  readonly destination: ProxiedAddress | undefined
  /** What else the proxy says, in its order. */
  readonly tlvs: readonly ProxyTLV[]

  constructor(
    version: 1 | 2,
    command: 'LOCAL' | 'PROXY',
    addresses?: readonly [source: ProxiedAddress, destination: ProxiedAddress],
    tlvs: readonly ProxyTLV[] = [],
  ) {
    this.version = version
    this.command = command
    this.source = addresses?.[0]
    this.destination = addresses?.[1]
    this.tlvs = tlvs
  }

  /** The value of the first TLV of this type. */
  value(type: number): Uint8Array | undefined {
    return this.tlvs.find((each) => each.type === type)?.value
  }

  /** The host name that the client asked for (SNI). The client's text: escape it before you show it. */
  get authority(): string | undefined {
    return text(this.value(proxyTLV.authority))
  }

  /** The application protocol that TLS agreed on, as in `h2`. The client's text: escape it before you show it. */
  get alpn(): string | undefined {
    return text(this.value(proxyTLV.alpn))
  }

  /** What the proxy calls this connection, to find it in both logs: up to 128 bytes. */
  get uniqueId(): Uint8Array | undefined {
    return this.value(proxyTLV.uniqueId)
  }

  /** The network namespace that the client came to. */
  get netns(): string | undefined {
    return text(this.value(proxyTLV.netns))
  }

  /** What the proxy knows about the client's TLS connection. */
  get ssl(): ProxySSL | undefined {
    const value = this.value(proxyTLV.ssl)
    if (value === undefined || value.length < 5) return undefined
    const client = value[0]!
    const inner = [...readTLVs(value, 5)]
    const textOf = (type: number): string | undefined => text(inner.find((each) => each.type === type)?.value)
    return {
      tls: (client & 1) !== 0,
      verified: (client & 6) !== 0 && value.subarray(1, 5).every((byte) => byte === 0),
      version: textOf(0x21),
      commonName: textOf(0x22),
      cipher: textOf(0x23),
      signatureAlgorithm: textOf(0x24),
      keyAlgorithm: textOf(0x25),
    }
  }
}

/**
 * The TLVs from `offset` on, one after another; values are views.
 *
 * @throws RangeError at one that overruns the end
 */
export function* readTLVs(bytes: Uint8Array, offset: number): Generator<ProxyTLV & { readonly offset: number }, void> {
  while (offset < bytes.length) {
    const length = offset + 3 > bytes.length ? Infinity : bytes[offset + 1]! * 256 + bytes[offset + 2]!
    const end = offset + 3 + length
    if (end > bytes.length) throw new RangeError(`the TLV at byte ${offset} is longer than what holds it`)
    yield { type: bytes[offset]!, value: bytes.subarray(offset + 3, end), offset }
    offset = end
  }
}

function text(value: Uint8Array | undefined): string | undefined {
  return value && toText(value)
}
