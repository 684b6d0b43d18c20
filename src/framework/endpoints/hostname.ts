/**
 * A host by its name, reached in the fastest way: its addresses race each other, so that one that does not answer costs
 * a quarter of a second and not the whole attempt.
 *
 * Ancestor: `HostnameEndpoint` of `twisted.internet.endpoints`, done as RFC 8305 says ("happy eyeballs").
 */
import type { IPAddress } from '../core/address.ts'
import { dialHost } from '../core/dial-host.ts'
import type { Factory } from '../core/factory.ts'
import type { Protocol } from '../core/protocol.ts'
import type { DialOptions, Reactor } from '../core/reactor.ts'
import type { Connection } from '../core/transport.ts'
import type { Deferred } from '../deferred/deferred.ts'
import { connectOver } from './connect-over.ts'
import type { ClientEndpoint, ConnectOptions } from './endpoint.ts'
import { hostAndPort } from './tcp.ts'

/** How a {@link HostnameEndpoint} connects. */
export interface HostnameOptions extends DialOptions {
  /** Milliseconds until all of it fails, looking up the name included. 30,000 unless given. */
  readonly timeout?: number | undefined
  /** Milliseconds that one address may take. What is left of `timeout` unless given. */
  readonly attemptTimeout?: number | undefined
  /**
   * Milliseconds after which the next address is tried as well, if the ones before have neither connected nor failed.
   * 250 unless given; not less than 10 (RFC 8305, section 8).
   */
  readonly attemptDelay?: number | undefined
}

/**
 * Connects to a host, by name or by address. Of several addresses each has a head start of `attemptDelay` before the
 * next one; one that fails makes room at once; the two families take turns; the first connection wins, and the other
 * attempts are given up. With TLS, a connection is one whose peer is verified. The address that won is the first to be
 * tried next time.
 *
 * `connect` fails with DNSLookupError for a name that has no address, and with AllAttemptsFailed, which says of each
 * address why, if it has several and none could be reached.
 *
 * @example connectProtocol(new HostnameEndpoint(reactor, 'poems.example', 10_000), new PoetryClientProtocol())
 */
export class HostnameEndpoint implements ClientEndpoint {
  readonly #reactor: Reactor
  readonly #host: string
  readonly #port: number
  readonly #options: HostnameOptions
  /** The address that won last time (RFC 8305, section 4). */
  #latest: IPAddress | undefined

  /**
   * @param port - 1 to 65,535
   * @throws RangeError for an `attemptDelay` below 10
   */
  constructor(reactor: Reactor, host: string, port: number, options: HostnameOptions = {}) {
    const { attemptDelay = 250 } = options
    if (!(attemptDelay >= 10)) throw new RangeError(`attemptDelay is 10 ms or more, not ${attemptDelay}`)
    this.#reactor = reactor
    this.#host = host
    this.#port = port
    this.#options = { ...options, attemptDelay }
  }

  connect<P extends Protocol>(factory: Factory<P>, options: ConnectOptions = {}): Deferred<P> {
    return connectOver(() => this.#dial(), String(this), factory, options)
  }

  #dial(): Deferred<Connection> {
    const options = { ...this.#options, prefer: this.#latest }
    return dialHost(this.#reactor, this.#host, this.#port, options).addCallback((connection) => {
      this.#latest = connection.peer as IPAddress
      return connection
    })
  }

  toString(): string {
    return hostAndPort(this.#host, this.#port)
  }
}
