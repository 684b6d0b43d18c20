/**
 * Policies that limit how many connections are open at once: in all, and from one peer.
 *
 * Ancestors: `LimitTotalConnectionsFactory` and `LimitConnectionsByPeer` of `twisted.protocols.policies`; the second one
 * never worked there.
 */
import type { Address } from '../core/address.ts'
import type { ConnectionClosed } from '../core/errors.ts'
import type { Hook, Protocol } from '../core/protocol.ts'
import type { Connection } from '../core/transport.ts'
import { TooManyConnections } from './errors.ts'
import { bytesOfIP, masked, textOfIP, unmapped } from './ip-bytes.ts'
import { Layer } from './layer.ts'
import type { Policy } from './with-policies.ts'

/**
 * Refuses a connection while `most` others are open, with TooManyConnections. The policy that this returns counts
 * wherever it is used: give it to two factories, and the limit is for both together.
 *
 * @throws RangeError if `most` is not a whole number, 0 or more
 */
export function limitConnections(most: number): Policy {
  checkedLimit(most)
  const open = new Map<string, number>()
  return (connection) => new CountingLayer(connection, open, 'in all', most).checked()
}

/** Which peers count as one. */
export interface PeerPrefix {
  /** How many bits of an IPv4 address count. 32 unless given: each address is a peer of its own. */
  readonly ipv4?: number
  /** How many bits of an IPv6 address count. 64 unless given, because that much is one customer's to use as he likes. */
  readonly ipv6?: number
}

/**
 * Refuses a connection while `most` others from the same peer are open, with TooManyConnections. Peers without an IP
 * address (UNIX sockets, pipes) are not limited. Behind a proxy it belongs after `proxyProtocol`, which knows the peer.
 *
 * @param options `prefix` says how much of an address is one peer
 * @throws RangeError if `most` is not a whole number, 0 or more, or a prefix not a number of bits
 */
export function limitPerPeer(most: number, { prefix = {} }: { readonly prefix?: PeerPrefix } = {}): Policy {
  checkedLimit(most)
  const { ipv4 = 32, ipv6 = 64 } = prefix
  checkedBits(ipv4, 32)
  checkedBits(ipv6, 128)
  const open = new Map<string, number>()
  return (connection) => {
    const network = networkOf(connection.peer, ipv4, ipv6)
    if (network === undefined) return connection
    return new CountingLayer(connection, open, `from ${network}`, most).checked()
  }
}

class CountingLayer extends Layer {
  readonly #open: Map<string, number>
  readonly #key: string
  readonly #most: number

  constructor(connection: Connection, open: Map<string, number>, key: string, most: number) {
    super(connection)
    this.#open = open
    this.#key = key
    this.#most = most
  }

  /** @throws TooManyConnections */
  checked(): this {
    const others = this.#open.get(this.#key) ?? 0
    if (others >= this.#most) throw new TooManyConnections(this.peer, others + 1, this.#most, this.#key)
    return this
  }

  /** Looks again: while a policy further in made this connection wait, others may have taken the last place. */
  override deliverTo(protocol: Protocol): void {
    this.checked()
    super.deliverTo(protocol)
  }

  override connectionMade(): Hook {
    this.#open.set(this.#key, (this.#open.get(this.#key) ?? 0) + 1)
    return super.connectionMade()
  }

  override connectionLost(reason: ConnectionClosed): Hook {
    const left = (this.#open.get(this.#key) ?? 1) - 1
    if (left > 0) this.#open.set(this.#key, left)
    else this.#open.delete(this.#key)
    return super.connectionLost(reason)
  }
}

/** The network that counts as one peer, as in `10.1.2.3` or `2001:db8:1:2::/64`; none for what is not IP. */
function networkOf(peer: Address, ipv4: number, ipv6: number): string | undefined {
  if (peer.kind !== 'IPv4' && peer.kind !== 'IPv6') return undefined
  const bytes = unmapped(bytesOfIP(peer.host))
  const bits = bytes.length === 4 ? ipv4 : ipv6
  const text = textOfIP(masked(bytes, bits))
  return bits === bytes.length * 8 ? text : `${text}/${bits}`
}

function checkedLimit(most: number): void {
  if (Number.isInteger(most) && most >= 0) return
  throw new RangeError(`a limit of connections is a whole number, 0 or more, not ${most}`)
}

function checkedBits(bits: number, all: number): void {
  if (Number.isInteger(bits) && bits >= 0 && bits <= all) return
  throw new RangeError(`a prefix is a whole number of bits from 0 to ${all}, not ${bits}`)
}
