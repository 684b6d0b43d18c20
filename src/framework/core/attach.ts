/**
 * The one door through which a connection gets its protocol: the factory admits it, builds, and the connection delivers.
 *
 * Servers, endpoints and connectors all go through here, and nobody else calls `buildProtocol`. Ancestor: the same
 * lines in `twisted.internet.tcp.Port.doRead` and `twisted.internet.base.BaseConnector`.
 */
import { Deferred } from '../deferred/deferred.ts'
import { type ConnectionClosed, NoProtocol } from './errors.ts'
import type { Factory } from './factory.ts'
import type { Protocol } from './protocol.ts'
import type { Connection } from './transport.ts'

/**
 * Gives `connection` the protocol that `factory` builds for it.
 *
 * @returns a Deferred of the protocol, after its `connectionMade` has returned. Fails with NoProtocol if the factory
 *   refuses, with what one of the factory's or the protocol's hooks threw, or with a ConnectionClosed if the connection
 *   ended while its admission was waited for; the connection is closed then. Cancelling it before that closes the
 *   connection too.
 */
export function attach<P extends Protocol>(factory: Factory<P>, connection: Connection): Deferred<P> {
  const arrived = new Deferred<Connection>()
  arrived.callback(connection)
  return arrived
    .addCallback((offered) => (factory.admit === undefined ? offered : factory.admit(offered)))
    .addCallback((admitted): P | Deferred<P> => {
      // A protocol that is built is told of its connection's beginning and end; for one that is over there is neither.
      if (admitted?.disconnected === true) return admitted.whenLost().addCallback(throwIt)
      // A builder in plain JavaScript that forgot its `return` must not look like a protocol.
      const protocol = admitted === null ? null : (factory.buildProtocol(admitted.peer) ?? null)
      if (admitted === null || protocol === null) throw new NoProtocol(connection.peer)
      admitted.deliverTo(protocol)
      return protocol
    })
    .addErrback((failure) => {
      connection.abortConnection(failure.value instanceof Error ? failure.value : undefined)
      return failure
    })
}

function throwIt(reason: ConnectionClosed): never {
  throw reason
}
