/**
 * A ClientFactory whose connectors connect again when a connection fails or is lost: later and later, until one holds.
 *
 * The way of Twisted's first years, for those who come from there; new code uses ClientService and an endpoint. Ancestor:
 * `twisted.internet.protocol.ReconnectingClientFactory`, whose delay grew before its first use, could be longer than
 * `maxDelay`, wandered with its own jitter, and did not come back after a success.
 */
import type { DelayedCall } from '../core/clock.ts'
import type { Connector } from '../core/connector.ts'
import { ClientFactory } from '../core/factory.ts'
import type { Protocol } from '../core/protocol.ts'
import { backoff } from '../tasks/backoff.ts'

/** One connector that is kept going. */
interface Client {
  /** Attempts since the last connection that held. */
  retries: number
  call: DelayedCall | undefined
}

/**
 * Subclass it, build protocols, and give it to `reactor.connectTCP`. A subclass that overrides `startedConnecting`,
 * `clientConnectionFailed` or `clientConnectionLost` calls `super`'s. Waiting keeps the program alive; {@link stopTrying}
 * ends it. The factory is stopped while it waits, and started again with the next attempt, as in Twisted.
 *
 * Of several connectors each has a delay of its own.
 */
export abstract class ReconnectingClientFactory<P extends Protocol = Protocol> extends ClientFactory<P> {
  /** The longest wait after the first failure, in milliseconds. */
  initialDelay = 500
  /** No wait is longer, in milliseconds. */
  maxDelay = 60_000
  /** By how much each further failure makes the wait longer. */
  factor = 2
  /** The part of the wait that is left to chance, 0 to 1. Unless given, 1 below {@link maxDelay}, and a third there. */
  jitter: number | undefined = undefined
  /** So many attempts in a row after the first one, without a connection that holds. */
  maxRetries = Infinity
  /** A connection that lasted so long, in milliseconds, has held: the next failure counts as the first. */
  resetAfter = 30_000
  /** Whether to try again. {@link stopTrying} makes it false, {@link resetDelay} true. */
  continueTrying = true
  readonly #clients = new Map<Connector, Client>()

  override startedConnecting(connector: Connector): void {
    cancel(this.#of(connector))
  }

  override clientConnectionFailed(connector: Connector, _reason: Error): void {
    this.retry(connector)
  }

  override clientConnectionLost(connector: Connector, _reason: Error): void {
    const { connectedAt, reactor } = connector
    if (connectedAt !== undefined && reactor.now() - connectedAt >= this.resetAfter) this.#of(connector).retries = 0
    this.retry(connector)
  }

  /**
   * Has this connector connect again after a while; nothing if {@link stopTrying} was called, or after
   * {@link maxRetries}. A wait that goes on already begins anew.
   *
   * @throws RangeError for a delay, factor or jitter that makes no sense
   */
  retry(connector: Connector): void {
    const client = this.#of(connector)
    cancel(client)
    if (!this.continueTrying || client.retries >= this.maxRetries) {
      this.#clients.delete(connector)
      return
    }
    client.retries++
    client.call = connector.reactor.callLater(this.#delay(connector, client.retries), () => {
      if (this.continueTrying && connector.state === 'disconnected') connector.connect()
    })
  }

  #delay({ reactor }: Connector, failures: number): number {
    const { maxDelay, factor, jitter } = this
    // Whoever wants a shorter maxDelay than that has said what to wait at first, too.
    const initialDelay = Math.min(this.initialDelay, maxDelay)
    const chance = jitter === undefined ? {} : { jitter }
    return backoff(reactor, { initialDelay, maxDelay, factor, ...chance })(failures)
  }

  /** Gives up every wait and every attempt, and tries no more. Connections that are made stay. */
  stopTrying(): void {
    this.continueTrying = false
    for (const [connector, client] of this.#clients) {
      cancel(client)
      if (connector.state === 'connecting') connector.stopConnecting()
    }
    this.#clients.clear()
  }

  /**
   * The next failure counts as the first, and is followed by another attempt. Called by itself when a connection has
   * lasted for {@link resetAfter}; call it when you know earlier that all is well, after a login for example.
   */
  resetDelay(): void {
    this.continueTrying = true
    for (const client of this.#clients.values()) client.retries = 0
  }

  #of(connector: Connector): Client {
    const known = this.#clients.get(connector)
    if (known !== undefined) return known
    const client: Client = { retries: 0, call: undefined }
    this.#clients.set(connector, client)
    return client
  }
}

function cancel(client: Client): void {
  if (client.call?.active() === true) client.call.cancel()
  client.call = undefined
}
