/**
 * A factory that lets somebody see each connection at the door, whatever the protocol inside is wrapped in.
 *
 * Ancestor: `_DisconnectFactory` of `twisted.application.internet`, which puts a proxy around each protocol instead, and
 * has to imitate whatever that can do.
 */
import type { Address } from '../core/address.ts'
import { type Admission, Factory } from '../core/factory.ts'
import type { Protocol } from '../core/protocol.ts'
import type { Connection } from '../core/transport.ts'

export class WatchedFactory<P extends Protocol> extends Factory<P> {
  readonly #factory: Factory<P>
  readonly #wanted: (connection: Connection) => boolean

  /**
   * @param factory is not told of its start and stop: whoever watches does that
   * @param wanted sees each connection before anything else, and says whether it may come in
   */
  constructor(factory: Factory<P>, wanted: (connection: Connection) => boolean) {
    super()
    this.#factory = factory
    this.#wanted = wanted
  }

  override admit(connection: Connection): Admission {
    if (!this.#wanted(connection)) return null
    return this.#factory.admit === undefined ? connection : this.#factory.admit(connection)
  }

  override buildProtocol(peer: Address): P | null {
    return this.#factory.buildProtocol(peer)
  }
}
