/**
 * Reads a PROXY protocol header, version 1 or 2, from bytes that come in any pieces.
 *
 * No connection and no clock: `receive` bytes until it answers. What cannot become a header any more is refused at the
 * byte that says so, whatever the pieces were. Source: proxy-protocol.txt of HAProxy, section 2. Ancestors:
 * `twisted.protocols.haproxy._v1parser` and `_v2parser`, which need the header in one piece.
 */
import { IPv4Address, IPv6Address, ipAddress, UNIXAddress } from '../core/address.ts'
import { copy, escaped, join, toBytes, toText } from '../core/bytes.ts'
import { FrameTooLong } from '../core/errors.ts'
import { crc32c } from './crc32c.ts'
import { BadProxyHeader } from './errors.ts'
import { bytesOfIP, textOfIP } from './ip-bytes.ts'
import { type ProxiedAddress, ProxyHeader, proxyTLV, type ProxyTLV, readTLVs } from './proxy-header.ts'

/** How a version 1 header begins. */
const signature1 = toBytes('PROXY ')
/** How a version 2 header begins: what no other protocol would. */
export const signature2 = new Uint8Array([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a])
/** The longest version 1 header, its CRLF included (section 2.1). Bytes. */
const longest1 = 107
/** The part of a version 2 header that says how long the rest is. Bytes. */
const fixed2 = 16
/** The longest unique ID (section 2.2.5). Bytes. */
const longestUniqueId = 128

const lineFeed = 0x0a
const carriageReturn = 0x0d

/** Reads one header from bytes in any pieces. */
export class ProxyHeaderParser {
  readonly #maxLength: number
  /** What has arrived and is not answered yet. */
  #bytes = new Uint8Array(128)
  #length = 0
  /** The whole length of a version 2 header, once it is known. */
  #whole = fixed2
  #rest: Uint8Array = new Uint8Array()

  /** @param maxLength the longest version 2 header accepted, in bytes, all of it; 4096 unless given */
  constructor(maxLength = 4096) {
    this.#maxLength = maxLength
  }

  /** How many bytes of a header have arrived. */
  get received(): number {
    return this.#length
  }

  /** What came behind the header; or everything, if it was none. It is yours, and there once {@link receive} answers. */
  get rest(): Uint8Array {
    return this.#rest
  }

  /**
   * Takes the next piece. Not to be called again after an answer.
   *
   * @returns the header; `null` if the bytes do not begin like one; `undefined` while that is not known yet
   * @throws BadProxyHeader, or FrameTooLong for one that is longer than accepted
   */
  receive(chunk: Uint8Array): ProxyHeader | null | undefined {
    for (let index = 0; index < chunk.length; index++) {
      this.#add(chunk[index]!)
      const header = this.#step()
      if (header === undefined) continue
      const after = chunk.subarray(index + 1)
      this.#rest = header === null ? join([this.#bytes.subarray(0, this.#length), after]) : copy(after)
      return header
    }
    return undefined
  }

  #add(byte: number): void {
    if (this.#length === this.#bytes.length) {
      const larger = new Uint8Array(this.#length * 2)
      larger.set(this.#bytes)
      this.#bytes = larger
    }
    this.#bytes[this.#length++] = byte
  }

  /** What the last byte makes of those before it. */
  #step(): ProxyHeader | null | undefined {
    const last = this.#length - 1
    const byte = this.#bytes[last]
    if (this.#bytes[0] === signature1[0]) {
      if (last < signature1.length) return byte === signature1[last] ? undefined : null
      return this.#step1(byte!)
    }
    if (last < signature2.length) return byte === signature2[last] ? undefined : null
    return this.#step2(last)
  }

  /* ---------------------------------------------------------------- version 1: a line */

  #step1(byte: number): ProxyHeader | undefined {
    const line = this.#bytes.subarray(0, this.#length)
    const afterReturn = line.at(-2) === carriageReturn
    if (afterReturn && byte === lineFeed) return parseLine(line.subarray(0, -2))
    if (afterReturn || byte === lineFeed)
      throw new BadProxyHeader(`the line does not end in CRLF: ${escaped(line, 107)}`)
    if (line.length >= longest1) {
      throw new BadProxyHeader(
        `no CRLF within ${longest1} bytes, which is the limit; ${line.length} were offered: ${escaped(line)}`,
      )
    }
    return undefined
  }

  /* ---------------------------------------------------------------- version 2: binary */

  #step2(last: number): ProxyHeader | undefined {
    const bytes = this.#bytes
    if (last === 12) checkCommand(bytes[12]!)
    else if (last === 13 && !isLocal(bytes)) checkFamily(bytes[13]!)
    else if (last === 15) this.#whole = this.#wholeLength(fixed2 + bytes[14]! * 256 + bytes[15]!)
    return last >= 15 && this.#length === this.#whole ? parseBinary(bytes.subarray(0, this.#whole)) : undefined
  }

  #wholeLength(length: number): number {
    if (length > this.#maxLength) throw new FrameTooLong(length, this.#maxLength, 'PROXY header')
    const least = isLocal(this.#bytes) ? fixed2 : fixed2 + addressLength(this.#bytes[13]!)
    if (length >= least) return length
    throw new BadProxyHeader(`a header of ${length} bytes has no room for its addresses, which need ${least}`)
  }
}

/* ------------------------------------------------------------------ version 1 */

/** Everything after UNKNOWN is to be ignored. */
const unknown = /^PROXY UNKNOWN(?: .*)?$/s
const proxied = /^PROXY (TCP4|TCP6) ([^ ]+) ([^ ]+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})$/

function parseLine(line: Uint8Array): ProxyHeader {
  const text = toText(line)
  if (unknown.test(text)) return new ProxyHeader(1, 'PROXY')
  const [, family, source = '', destination = '', sourcePort, destinationPort] = proxied.exec(text) ?? []
  const from = family && addressOf(family, source, Number(sourcePort))
  const to = family && addressOf(family, destination, Number(destinationPort))
  if (from && to) return new ProxyHeader(1, 'PROXY', [from, to])
  throw new BadProxyHeader(`not a PROXY line with two addresses and two ports: ${escaped(line, longest1)}`)
}

function addressOf(family: string, host: string, port: number): ProxiedAddress | undefined {
  if (port > 65_535 || host.includes('%')) return undefined
  const address = ipAddress(host, port)
  if (address?.kind !== (family === 'TCP4' ? 'IPv4' : 'IPv6')) return undefined
  return address.kind === 'IPv4' ? address : new IPv6Address('TCP', textOfIP(bytesOfIP(host)), port)
}

/* ------------------------------------------------------------------ version 2 */

/** By the byte for family and transport: 0 is UNSPEC, the others are TCP over IPv4 and IPv6, and a UNIX stream. */
const addressLengths = new Map([
  [0x00, 0],
  [0x11, 12],
  [0x21, 36],
  [0x31, 216],
])

function addressLength(family: number): number {
  return addressLengths.get(family) ?? 0
}

function isLocal(bytes: Uint8Array): boolean {
  return bytes[12] === 0x20
}

function checkCommand(byte: number): void {
  if (byte >> 4 !== 2) throw new BadProxyHeader(`version ${byte >> 4} of the PROXY protocol does not exist`)
  if ((byte & 15) > 1) throw new BadProxyHeader(`command ${byte & 15} of the PROXY protocol does not exist`)
}

function checkFamily(byte: number): void {
  if (addressLengths.has(byte)) return
  const name = `address family ${byte >> 4} with transport ${byte & 15}`
  const datagram = byte === 0x12 || byte === 0x22 || byte === 0x32
  throw new BadProxyHeader(datagram ? `${name} is for datagrams, and this is a stream` : `${name} does not exist`)
}

function parseBinary(header: Uint8Array): ProxyHeader {
  // The specification has the receiver of LOCAL and UNSPEC skip everything else.
  if (isLocal(header)) return new ProxyHeader(2, 'LOCAL')
  const family = header[13]!
  if (family === 0) return new ProxyHeader(2, 'PROXY')
  // A copy, because the parser's memory is twice as large, and whoever keeps a TLV keeps all of it.
  const bytes = copy(header)
  const end = fixed2 + addressLength(family)
  const addresses = readAddresses(family, bytes.subarray(fixed2, end))
  return new ProxyHeader(2, 'PROXY', addresses, checkedTLVs(bytes, end))
}

function readAddresses(family: number, bytes: Uint8Array): [source: ProxiedAddress, destination: ProxiedAddress] {
  if (family === 0x31) return [unixAddress(bytes.subarray(0, 108)), unixAddress(bytes.subarray(108))]
  const size = family === 0x11 ? 4 : 16
  const address = (host: number, port: number): ProxiedAddress => {
    const text = textOfIP(bytes.subarray(host, host + size))
    const number = bytes[port]! * 256 + bytes[port + 1]!
    return size === 4 ? new IPv4Address('TCP', text, number) : new IPv6Address('TCP', text, number)
  }
  return [address(0, 2 * size), address(size, 2 * size + 2)]
}

/** A path ends at its NUL; one that begins with it is a name in Linux's abstract namespace. */
function unixAddress(bytes: Uint8Array): UNIXAddress {
  const end = bytes.indexOf(0, 1)
  const path = toText(end === -1 ? bytes : bytes.subarray(0, end))
  return new UNIXAddress(path === '\0' ? '' : path)
}

function checkedTLVs(header: Uint8Array, offset: number): ProxyTLV[] {
  const tlvs: ProxyTLV[] = []
  let checksum: number | undefined
  try {
    for (const { type, value, offset: at } of readTLVs(header, offset)) {
      tlvs.push({ type, value })
      if (type === proxyTLV.crc32c) {
        if (checksum !== undefined || value.length !== 4) throw new RangeError('the checksum is not one of 4 bytes')
        checksum = at + 3
      } else if (type === proxyTLV.uniqueId && value.length > longestUniqueId) {
        throw new RangeError(`a unique ID of ${value.length} bytes was offered, the limit is ${longestUniqueId}`)
      } else if (type === proxyTLV.ssl) {
        if (value.length < 5) throw new RangeError(`${value.length} bytes about TLS are too few`)
        for (const _ of readTLVs(value, 5));
      }
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new BadProxyHeader(`a broken TLV: ${error.message}`, { cause: error })
  }
  if (checksum !== undefined) verify(header, checksum)
  return tlvs
}

/** The checksum is that of the whole header, with zeros in its own place (section 2.2.3). */
function verify(header: Uint8Array, at: number): void {
  const claimed = new DataView(header.buffer, header.byteOffset + at, 4).getUint32(0)
  const zeroed = copy(header).fill(0, at, at + 4)
  const computed = crc32c(zeroed)
  if (claimed === computed) return
  throw new BadProxyHeader(`the checksum is ${hex(claimed)}, but that of the header is ${hex(computed)}`)
}

function hex(number: number): string {
  return `0x${number.toString(16).padStart(8, '0')}`
}
