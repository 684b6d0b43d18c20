/**
 * Endpoints in the file system: a path, for programs of one machine.
 *
 * Ancestor: `UNIXClientEndpoint` and `UNIXServerEndpoint` of `twisted.internet.endpoints`.
 */
import { UNIXAddress } from '../core/address.ts'
import type { Factory } from '../core/factory.ts'
import type { ListeningPort } from '../core/listening-port.ts'
import type { Protocol } from '../core/protocol.ts'
import type { DialOptions, ListenOptions, Reactor } from '../core/reactor.ts'
import type { Deferred } from '../deferred/deferred.ts'
import { execute } from '../deferred/wrapping.ts'
import { connectOver } from './connect-over.ts'
import { type ClientEndpoint, type ConnectOptions, refuseClientFactory, type ServerEndpoint } from './endpoint.ts'

/** Connects to the socket at a path. */
export class UNIXClientEndpoint implements ClientEndpoint {
  readonly #reactor: Reactor
  readonly #address: UNIXAddress
  readonly #options: DialOptions

  constructor(reactor: Reactor, path: string, options: DialOptions = {}) {
    this.#reactor = reactor
    this.#address = new UNIXAddress(path)
    this.#options = options
  }

  connect<P extends Protocol>(factory: Factory<P>, options: ConnectOptions = {}): Deferred<P> {
    return connectOver(() => this.#reactor.dial(this.#address, this.#options), String(this), factory, options)
  }

  toString(): string {
    return String(this.#address)
  }
}

/** Listens at a path, as `reactor.listenUNIX` does. */
export class UNIXServerEndpoint implements ServerEndpoint {
  readonly #reactor: Reactor
  readonly #path: string
  readonly #options: ListenOptions

  /** @param options - `mode` says who may connect: 0o600, the user that we run as, unless given */
  constructor(reactor: Reactor, path: string, options: ListenOptions = {}) {
    this.#reactor = reactor
    this.#path = path
    this.#options = options
  }

  listen(factory: Factory): Deferred<ListeningPort> {
    return execute(() => {
      refuseClientFactory(factory)
      return this.#reactor.listenUNIX(this.#path, factory, this.#options)
    })
  }

  toString(): string {
    return String(new UNIXAddress(this.#path))
  }
}
