/**
 * A factory makes a Protocol for each connection, and holds what its protocols share.
 *
 * Ancestor: `twisted.internet.protocol.Factory` and `ClientFactory`.
 */
import type { Deferred } from '../deferred/deferred.ts'
import type { Address } from './address.ts'
import type { Connector } from './connector.ts'
import type { Protocol } from './protocol.ts'
import type { Connection } from './transport.ts'

/** What becomes of a connection at the door: itself, wrapped or not; `null` to refuse it; or the answer later. */
export type Admission = Connection | null | Deferred<Connection | null>

/** Makes a Protocol for each connection, and holds what they share. For most programs {@link Factory.forProtocol} will do. */
export abstract class Factory<P extends Protocol = Protocol> {
  /**
   * A factory whose protocols need nothing but their constructor: `Factory.forProtocol(() => new Echo())`.
   *
   * @param build as {@link buildProtocol}
   */
  static forProtocol<P extends Protocol>(build: (peer: Address) => P | null): Factory<P> {
    return new SimpleFactory(build)
  }

  /**
   * Makes the protocol for one connection, or says no with `null`: the connection is then closed. Called after
   * {@link admit}, before anything has been read.
   */
  abstract buildProtocol(peer: Address): P | null

  /** Looks at a connection before it gets a protocol. Policies work here. */
  admit?(connection: Connection): Admission

  /**
   * Called when the first port or connector of this factory opens, before any connection. What it throws fails that
   * opening.
   */
  startFactory(): void {}

  /** Called when the last port or connector of this factory has closed. */
  stopFactory(): void {}
}

class SimpleFactory<P extends Protocol> extends Factory<P> {
  readonly #build: (peer: Address) => P | null

  constructor(build: (peer: Address) => P | null) {
    super()
    this.#build = build
  }

  override buildProtocol(peer: Address): P | null {
    return this.#build(peer)
  }
}

/**
 * A factory for `connectTCP`: it is told how the attempt to connect goes on. New code uses an endpoint instead, whose
 * Deferred says the same.
 *
 * Order of calls: startFactory, startedConnecting, buildProtocol, …, the protocol's connectionLost,
 * clientConnectionLost, stopFactory; or clientConnectionFailed instead of all that comes after startedConnecting. A
 * `connector.connect()` inside one of the last two goes on without stopFactory and startFactory.
 */
export abstract class ClientFactory<P extends Protocol = Protocol> extends Factory<P> {
  /** An attempt begins. */
  startedConnecting(_connector: Connector): void {}

  /** An attempt failed, with a ConnectError. */
  clientConnectionFailed(_connector: Connector, _reason: Error): void {}

  /** A connection ended, after its protocol was told; the reason is the same. */
  clientConnectionLost(_connector: Connector, _reason: Error): void {}
}

/** How many ports and connectors of each factory are open. */
const open = new WeakMap<Factory, number>()

/** A port or connector of `factory` opens. */
export function startUsing(factory: Factory): void {
  const count = open.get(factory) ?? 0
  if (count === 0) factory.startFactory()
  open.set(factory, count + 1)
}

/** A port or connector of `factory` has closed. */
export function stopUsing(factory: Factory): void {
  const count = (open.get(factory) ?? 1) - 1
  open.set(factory, count)
  if (count === 0) factory.stopFactory()
}
