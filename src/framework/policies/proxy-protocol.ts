/**
 * A policy that reads the PROXY header which a proxy sends before the client's bytes, so that `buildProtocol`, the
 * protocol and every policy after it see the client's address instead of the proxy's.
 *
 * Ancestor: `twisted.protocols.haproxy.proxyEndpoint`, whose protocols are made before the header is there, with the
 * proxy's address. Source: proxy-protocol.txt of HAProxy.
 */
import type { Clock } from '../core/clock.ts'
import type { Hook } from '../core/protocol.ts'
import { addressSet, type AddressTest } from './address-set.ts'
import { UntrustedProxy } from './errors.ts'
import { Layer } from './layer.ts'
import { ProxiedLayer } from './proxied-layer.ts'
import { ProxyHeaderParser } from './proxy-header-parser.ts'
import type { Policy } from './with-policies.ts'

/** How {@link proxyProtocol} reads headers. */
export interface ProxyProtocolOptions {
  /**
   * Who may say for whom they connect: texts as for {@link addressSet}, or a test of the socket's address. There is no
   * default, because whoever is trusted can pretend to be anybody.
   */
  readonly trusted: readonly string[] | AddressTest
  /** A reactor, or any other clock. */
  readonly clock: Clock
  /**
   * Whether there must be a header. If so (the default), whoever is not trusted is refused at once, and a trusted peer
   * that sends something else is cut off. If not, both are clients of their own; but a header from a peer that is not
   * trusted still ends the connection, and a trusted one must speak first, or it is cut off when time is over.
   */
  readonly required?: boolean | undefined
  /** Milliseconds until the whole header must be there. 5000 unless given. */
  readonly timeout?: number | undefined
  /** The longest version 2 header accepted, in bytes, all of it. 4096 unless given. */
  readonly maxLength?: number | undefined
}

/**
 * Lets a connection pass once its PROXY header is read: version 1 or 2, in any pieces. Refuses it with UntrustedProxy,
 * NoProxyHeader, BadProxyHeader or FrameTooLong. What the header does not know (LOCAL, UNKNOWN, UNSPEC) stays as the
 * socket says it.
 *
 * @throws RangeError for an address in `trusted` that is none, or a `timeout` that is not a number above 0
 *
 * @example
 * const behindProxy = proxyProtocol({ trusted: ['10.0.0.0/8'], clock: reactor })
 * await endpoint.listen(withPolicies(factory, behindProxy, limitPerPeer(10)))
 */
export function proxyProtocol(options: ProxyProtocolOptions): Policy {
  const { clock, required = true, timeout = 5000, maxLength } = options
  const trusted = typeof options.trusted === 'function' ? options.trusted : addressSet(options.trusted)
  if (!(timeout > 0 && timeout < Infinity)) {
    throw new RangeError(`a timeout is a number of milliseconds above 0, not ${timeout}`)
  }
  return (connection) => {
    if (trusted(connection.peer)) {
      return new ProxiedLayer(connection, { clock, required, timeout, maxLength }).admitted()
    }
    if (required) throw new UntrustedProxy(connection.peer)
    return new HeaderWatch(connection)
  }
}

/**
 * A client of its own that is not trusted: its bytes are delivered as they come, and if they turn out to be a PROXY header
 * it either wants to deceive us or is missing in `trusted`.
 */
class HeaderWatch extends Layer {
  #parser: ProxyHeaderParser | undefined = new ProxyHeaderParser()

  override dataReceived(chunk: Uint8Array): Hook {
    if (this.#parser !== undefined && this.#isHeader(this.#parser, chunk)) {
      this.abortConnection(new UntrustedProxy(this.peer, 'sent a PROXY header'))
      return undefined
    }
    return this.wrappedProtocol?.dataReceived(chunk)
  }

  #isHeader(parser: ProxyHeaderParser, chunk: Uint8Array): boolean {
    try {
      const header = parser.receive(chunk)
      if (header === undefined) return false
      this.#parser = undefined
      return header !== null
    } catch {
      // Neither a header nor ours to judge.
      this.#parser = undefined
      return false
    }
  }
}
