/**
 * The other side of the PROXY protocol: a client that says for whom it connects, before anything else.
 *
 * Source: proxy-protocol.txt of HAProxy, section 2. No ancestor: Twisted only receives.
 */
import type { Address } from '../core/address.ts'
import { join, toBytes } from '../core/bytes.ts'
import { LocalProtocolError } from '../core/errors.ts'
import type { Hook } from '../core/protocol.ts'
import type { Connection } from '../core/transport.ts'
import { crc32c } from './crc32c.ts'
import { bytesOfIP, mapped, textOfIP } from './ip-bytes.ts'
import { Layer } from './layer.ts'
import { proxyTLV, type ProxyTLV } from './proxy-header.ts'
import { signature2 } from './proxy-header-parser.ts'
import type { Policy } from './with-policies.ts'

/** What {@link sendProxyHeader} says. */
export interface ProxyHeaderOptions {
  /** The client, as in `client.transport.peer`. Without addresses the header says that we connect for ourselves. */
  readonly source?: Address | undefined
  /** The address that the client connected to, as in `client.transport.host`. */
  readonly destination?: Address | undefined
  /** What else to say; version 2 only. */
  readonly tlvs?: readonly ProxyTLV[] | undefined
  /** Add a checksum; version 2 only. */
  readonly checksum?: boolean | undefined
}

/**
 * Sends a PROXY header first of all on every connection: LOCAL (or UNKNOWN, in version 1) without addresses, else the
 * two that are given. A proxy makes one for each client:
 *
 * @throws LocalProtocolError for what the header cannot say
 *
 * @example
 * const forClient = sendProxyHeader(2, { source: client.transport.peer, destination: client.transport.host })
 * endpoint.connect(withPolicies(factory, forClient))
 */
export function sendProxyHeader(version: 1 | 2, options: ProxyHeaderOptions = {}): Policy {
  const header = proxyHeaderBytes(version, options)
  return (connection) => new HeaderFirst(connection, header)
}

class HeaderFirst extends Layer {
  readonly #header: Uint8Array

  constructor(connection: Connection, header: Uint8Array) {
    super(connection)
    this.#header = header
  }

  override connectionMade(): Hook {
    this.transport.write(this.#header)
    return super.connectionMade()
  }
}

/**
 * A PROXY header as bytes. Addresses of two families become IPv6; what neither IP nor, in version 2, UNIX can hold is
 * not said (UNKNOWN, UNSPEC).
 *
 * @throws LocalProtocolError for what the header cannot say
 */
export function proxyHeaderBytes(version: 1 | 2, options: ProxyHeaderOptions = {}): Uint8Array {
  if ((options.source === undefined) !== (options.destination === undefined)) {
    throw new LocalProtocolError('a PROXY header has a source and a destination, or neither')
  }
  return version === 1 ? toBytes(line(options)) : binary(options)
}

/** The bytes of both addresses, and the family they have in common. */
interface Pair {
  readonly family: 'IPv4' | 'IPv6'
  readonly source: Uint8Array
  readonly destination: Uint8Array
  readonly ports: readonly [source: number, destination: number]
}

function ipPair({ source, destination }: ProxyHeaderOptions): Pair | undefined {
  if (source?.kind !== 'IPv4' && source?.kind !== 'IPv6') return undefined
  if (destination?.kind !== 'IPv4' && destination?.kind !== 'IPv6') return undefined
  const family = source.kind === destination.kind ? source.kind : 'IPv6'
  const bytes = (host: string): Uint8Array => (family === 'IPv4' ? bytesOfIP(host) : mapped(bytesOfIP(host)))
  return {
    family,
    source: bytes(source.host),
    destination: bytes(destination.host),
    ports: [source.port, destination.port],
  }
}

function line(options: ProxyHeaderOptions): string {
  if (options.tlvs !== undefined || options.checksum === true) {
    throw new LocalProtocolError('TLVs and a checksum need version 2 of the PROXY protocol')
  }
  const pair = ipPair(options)
  if (pair === undefined) return 'PROXY UNKNOWN\r\n'
  const family = pair.family === 'IPv4' ? 'TCP4' : 'TCP6'
  return `PROXY ${family} ${textOfIP(pair.source)} ${textOfIP(pair.destination)} ${pair.ports.join(' ')}\r\n`
}

function binary(options: ProxyHeaderOptions): Uint8Array {
  const { source, destination, tlvs = [], checksum = false } = options
  const pair = ipPair(options)
  const said = source !== undefined
  let family = 0
  let addresses: Uint8Array = new Uint8Array()
  if (pair !== undefined) {
    family = pair.family === 'IPv4' ? 0x11 : 0x21
    addresses = join([pair.source, pair.destination, ...pair.ports.map(uint16)])
  } else if (source?.kind === 'UNIX' && destination?.kind === 'UNIX') {
    family = 0x31
    addresses = join([unixPath(source.path), unixPath(destination.path)])
  }
  const emptyChecksum = new Uint8Array(checksum ? [proxyTLV.crc32c, 0, 4, 0, 0, 0, 0] : [])
  const rest = join([addresses, ...tlvs.map(tlvBytes), emptyChecksum])
  if (rest.length > 0xffff) throw new LocalProtocolError(`the TLVs make ${rest.length} bytes, the limit is 65535`)
  const header = join([signature2, new Uint8Array([said ? 0x21 : 0x20, family]), uint16(rest.length), rest])
  if (checksum) new DataView(header.buffer).setUint32(header.length - 4, crc32c(header))
  return header
}

function tlvBytes({ type, value }: ProxyTLV): Uint8Array {
  if (!Number.isInteger(type) || type < 0 || type > 255) {
    throw new LocalProtocolError(`the type of a TLV is a whole number from 0 to 255, not ${type}`)
  }
  if (type === proxyTLV.crc32c) throw new LocalProtocolError('the checksum is computed here: say `checksum: true`')
  if (value.length > 0xffff) throw new LocalProtocolError(`a TLV of ${value.length} bytes, the limit is 65535`)
  return join([new Uint8Array([type]), uint16(value.length), value])
}

function unixPath(path: string): Uint8Array {
  const bytes = toBytes(path)
  if (bytes.length > 108) throw new LocalProtocolError(`a UNIX path of ${bytes.length} bytes, the limit is 108`)
  return join([bytes, new Uint8Array(108 - bytes.length)])
}

function uint16(value: number): Uint8Array {
  return new Uint8Array([value >> 8, value & 0xff])
}
