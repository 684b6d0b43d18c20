/**
 * A policy decides about a connection before it gets its protocol: it lets it pass, wraps it, or refuses it.
 *
 * Ancestor: `twisted.protocols.policies.WrappingFactory`, which wraps the protocol instead, and so loses its type.
 */
import type { Address } from '../core/address.ts'
import { type Admission, ClientFactory, Factory, startUsing, stopUsing } from '../core/factory.ts'
import type { Protocol } from '../core/protocol.ts'
import type { Connection } from '../core/transport.ts'
import { Deferred } from '../deferred/deferred.ts'

/**
 * Called once for each connection.
 *
 * @returns the connection as it is, or a Layer around it; `null` to refuse it; or a Deferred of either, for which the
 *   connection waits. To refuse it and say why, throw a subclass of NoProtocol: it becomes the cause. Any other error
 *   is reported besides.
 */
export type Policy = (connection: Connection) => Admission

/**
 * The same factory, with policies before it. It takes the place of the first one everywhere: to listen with, and with
 * an endpoint to connect with. Its protocols keep their type.
 *
 * @param policies from the wire inward: the first one sees the socket, the last one is nearest to the protocol; the
 *   factory's own `admit`, if it has one, comes after them
 * @throws TypeError for a ClientFactory: what this returns is none, and its hooks would never be called
 *
 * @example
 * const guarded = withPolicies(factory, limitConnections(100), idleTimeout(reactor, 30_000))
 * await serverFromString(reactor, 'tcp:8000').listen(guarded)
 */
export function withPolicies<P extends Protocol>(factory: Factory<P>, ...policies: readonly Policy[]): Factory<P> {
  return new FactoryWithPolicies(factory, policies)
}

class FactoryWithPolicies<P extends Protocol> extends Factory<P> {
  readonly #factory: Factory<P>
  readonly #policies: readonly Policy[]

  constructor(factory: Factory<P>, policies: readonly Policy[]) {
    super()
    if (factory instanceof ClientFactory) {
      throw new TypeError(
        `policies hide the hooks of a ClientFactory (${factory.constructor.name}): give them a plain Factory and use an` +
          ' endpoint, or call policies in an admit() of its own',
      )
    }
    this.#factory = factory
    this.#policies = policies
  }

  override admit(connection: Connection): Admission {
    let admission: Admission = connection
    for (const policy of this.#policies) admission = next(admission, policy)
    const factory = this.#factory
    return next(admission, (admitted) => (factory.admit === undefined ? admitted : factory.admit(admitted)))
  }

  override buildProtocol(peer: Address): P | null {
    return this.#factory.buildProtocol(peer)
  }

  /** The factory may be open elsewhere too, without policies or with others. */
  override startFactory(): void {
    startUsing(this.#factory)
  }

  override stopFactory(): void {
    stopUsing(this.#factory)
  }
}

/** Asks `policy` about what the ones before it have admitted; at once, where they have answered at once. */
function next(admission: Admission, policy: Policy): Admission {
  if (admission === null) return null
  if (!(admission instanceof Deferred)) return policy(admission)
  return admission.addCallback((admitted) => (admitted === null ? null : policy(admitted)))
}
