/**
 * The program's own standard input and output as an endpoint: "listening" there, one client is connected already.
 *
 * Ancestor: `StandardIOEndpoint` of `twisted.internet.endpoints`.
 */
import { StandardIOAddress } from '../core/address.ts'
import type { Factory } from '../core/factory.ts'
import type { ListeningPort } from '../core/listening-port.ts'
import type { Reactor } from '../core/reactor.ts'
import type { Deferred } from '../deferred/deferred.ts'
import { execute } from '../deferred/wrapping.ts'
import { refuseClientFactory, type ServerEndpoint } from './endpoint.ts'

/**
 * Gives the factory one connection: whoever has started the program. It can be done once. A program that has nothing else
 * to do ends by itself when the connection has ended, unless it waits for `reactor.whenStopped()`: `reactor.stop()`, in
 * `connectionLost`, ends that.
 *
 * From then on the standard output belongs to the connection: print what is for people on stderr.
 */
export class StandardIOEndpoint implements ServerEndpoint {
  readonly #reactor: Reactor
  readonly #address = new StandardIOAddress()

  constructor(reactor: Reactor) {
    this.#reactor = reactor
  }

  listen(factory: Factory): Deferred<ListeningPort> {
    return execute(() => {
      refuseClientFactory(factory)
      return this.#reactor.listenWith(this.#address, factory)
    })
  }

  toString(): string {
    return String(this.#address)
  }
}
