/**
 * A set of peers, written as people write them: `10.0.0.0/8`, `2001:db8::/32`, `::1`, `unix`.
 *
 * No ancestor. `net.BlockList` does the same for Node alone.
 */
import { type Address, ipAddress } from '../core/address.ts'
import { equal } from '../core/bytes.ts'
import { bytesOfIP, masked, textOfIP, unmapped } from './ip-bytes.ts'

/** Whether an address belongs to a set. */
export type AddressTest = (address: Address) => boolean

/** An address, with how many of its bits count. */
interface Network {
  readonly bytes: Uint8Array
  readonly bits: number
}

/**
 * A test for addresses: `addressSet(['10.0.0.0/8', '::1'])(peer)`. Ports and zones do not matter, and an IPv4 address that
 * a socket shows as IPv6 (`::ffff:10.0.0.1`) is the IPv4 address.
 *
 * @param texts IP addresses, networks in CIDR notation, and `unix` for whoever comes over a UNIX socket
 * @throws RangeError for a text that is none of these, or a network with bits set behind its prefix
 */
export function addressSet(texts: readonly string[]): AddressTest {
  const unix = texts.includes('unix')
  const networks = texts.filter((text) => text !== 'unix').map(network)
  return (address) => {
    if (address.kind === 'UNIX') return unix
    if (address.kind !== 'IPv4' && address.kind !== 'IPv6') return false
    const bytes = unmapped(bytesOfIP(address.host))
    return networks.some((each) => each.bytes.length === bytes.length && equal(masked(bytes, each.bits), each.bytes))
  }
}

function network(text: string): Network {
  const [, host = '', prefix] = /^([^/]*)(?:\/(0|[1-9]\d{0,2}))?$/.exec(text) ?? []
  const address = host.includes('%') ? undefined : ipAddress(host)
  const whole = address && bytesOfIP(address.host)
  if (whole === undefined || Number(prefix ?? 0) > whole.length * 8) {
    throw new RangeError(`${JSON.stringify(text)} is not an IP address, nor a network like 10.0.0.0/8, nor unix`)
  }
  const bits = Number(prefix ?? whole.length * 8)
  const first = masked(whole, bits)
  if (!equal(first, whole)) {
    throw new RangeError(`${text} has bits set behind its prefix (did you mean ${textOfIP(first)}/${bits}?)`)
  }
  // 96 bits say that it is IPv4; a network that is wider than that really means IPv6.
  const bytes = bits >= 96 ? unmapped(whole) : whole
  return { bytes, bits: bytes.length === whole.length ? bits : bits - 96 }
}
