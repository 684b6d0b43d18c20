/**
 * TCP endpoints, with TLS or without: a client's is a host and a port, a server's is a port.
 *
 * Ancestor: `TCP4ClientEndpoint`, `TCP4ServerEndpoint` and their kin in `twisted.internet.endpoints`; here the address
 * says which family it is.
 */
import { dialHost } from '../core/dial-host.ts'
import type { Factory } from '../core/factory.ts'
import type { ListeningPort } from '../core/listening-port.ts'
import type { Protocol } from '../core/protocol.ts'
import type { DialOptions, ListenTCPOptions, Reactor } from '../core/reactor.ts'
import type { Connection } from '../core/transport.ts'
import type { Deferred } from '../deferred/deferred.ts'
import { execute } from '../deferred/wrapping.ts'
import { connectOver } from './connect-over.ts'
import { type ClientEndpoint, type ConnectOptions, refuseClientFactory, type ServerEndpoint } from './endpoint.ts'

/**
 * Connects to a host, by name or by address: its addresses are tried one after another, within one `timeout`. For a name
 * with several addresses, HostnameEndpoint is faster when one of them does not answer.
 */
export class TCPClientEndpoint implements ClientEndpoint {
  readonly #reactor: Reactor
  readonly #host: string
  readonly #port: number
  readonly #options: DialOptions

  /** @param port - 1 to 65,535 */
  constructor(reactor: Reactor, host: string, port: number, options: DialOptions = {}) {
    this.#reactor = reactor
    this.#host = host
    this.#port = port
    this.#options = options
  }

  connect<P extends Protocol>(factory: Factory<P>, options: ConnectOptions = {}): Deferred<P> {
    const dial = (): Deferred<Connection> => dialHost(this.#reactor, this.#host, this.#port, this.#options)
    return connectOver(dial, String(this), factory, options)
  }

  toString(): string {
    return hostAndPort(this.#host, this.#port)
  }
}

/** Listens on a port, of all IPv4 interfaces of this machine unless `interface` says otherwise. */
export class TCPServerEndpoint implements ServerEndpoint {
  readonly #reactor: Reactor
  readonly #port: number
  readonly #options: ListenTCPOptions

  /** @param port - 0 to 65,535; 0 takes any free port, which the ListeningPort's `host` then tells */
  constructor(reactor: Reactor, port: number, options: ListenTCPOptions = {}) {
    this.#reactor = reactor
    this.#port = port
    this.#options = options
  }

  listen(factory: Factory): Deferred<ListeningPort> {
    return execute(() => {
      refuseClientFactory(factory)
      return this.#reactor.listenTCP(this.#port, factory, this.#options)
    })
  }

  toString(): string {
    return hostAndPort(this.#options.interface || '0.0.0.0', this.#port)
  }
}

/** For people, as in a URL. */
export function hostAndPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
