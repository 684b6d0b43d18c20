/**
 * An endpoint says where to connect or where to listen, and nothing about what is spoken there; so one program speaks
 * over TCP, TLS, a file's socket or a simulated network without knowing which.
 *
 * Ancestor: `IStreamClientEndpoint` and `IStreamServerEndpoint` of `twisted.internet.interfaces`.
 */
import { ClientFactory, type Factory } from '../core/factory.ts'
import type { ListeningPort } from '../core/listening-port.ts'
import type { Protocol } from '../core/protocol.ts'
import type { Deferred } from '../deferred/deferred.ts'

/** How {@link ClientEndpoint.connect} connects. */
export interface ConnectOptions {
  /** Cancels the attempt when it is aborted; after the connection is made it means nothing. */
  readonly signal?: AbortSignal | undefined
}

/** Where a client connects to. Use it as often as you like. */
export interface ClientEndpoint {
  /**
   * Connects, and gives the connection the protocol that `factory` builds. Never throws.
   *
   * @returns fires with the protocol when it can be used, after its `connectionMade`. Fails with a ConnectError, with
   *   what a hook of the factory or the protocol threw, or, if cancelled, with ConnectingCancelledError; nothing is
   *   left open then. Fails with TypeError for a ClientFactory: nobody would call its hooks
   */
  connect<P extends Protocol>(factory: Factory<P>, options?: ConnectOptions): Deferred<P>

  /** Where to, for people: `localhost:10000`. */
  toString(): string
}

/** Where a server listens. */
export interface ServerEndpoint {
  /**
   * Listens, and gives each connection the protocol that `factory` builds. Never throws.
   *
   * @returns fires with the open port, or fails with CannotListenError, or with what `startFactory` threw. To give up
   *   before that, cancel it (`.addSignal(signal)` does); a port that is open is closed by its `stopListening`
   */
  listen(factory: Factory): Deferred<ListeningPort>

  /** Where, for people: `127.0.0.1:10000`. */
  toString(): string
}

/**
 * Endpoints tell how it went by a Deferred; the hooks of a ClientFactory would silently never be called.
 *
 * @throws TypeError for a ClientFactory
 */
export function refuseClientFactory(factory: Factory): void {
  if (!(factory instanceof ClientFactory)) return
  throw new TypeError(
    `an endpoint calls none of the hooks of a ClientFactory (${factory.constructor.name}): give it a plain Factory and` +
      ' use the Deferred that it returns, or give the ClientFactory to reactor.connectTCP',
  )
}
