/**
 * An open port: where a server's connections come in, and how it stops, at once or gently.
 *
 * Ancestor: `IListeningPort` and `twisted.internet.tcp.Port`; draining is ours.
 */
import { Deferred } from '../deferred/deferred.ts'
import { trace } from '../trace/hook.ts'
import type { Address } from './address.ts'
import type { Reactor } from './reactor.ts'
import type { Connection } from './transport.ts'

/** How {@link ListeningPort.stopListening} stops. */
export interface StopOptions {
  /**
   * Milliseconds that open connections get to finish: each protocol's `stopping()` is called (`loseConnection` where
   * there is none), and what is still open at the end is aborted. Without it connections are left alone.
   */
  readonly drain?: number
}

/** Whoever a port tells about its connections. The reactor calls it; it never throws. */
export type Accept = (connection: Connection) => void

export abstract class ListeningPort {
  /** Where it listens; with port 0 asked for, the port that it got. */
  readonly host: Address
  readonly #reactor: Reactor
  readonly #accept: Accept
  readonly #connections = new Set<Connection>()
  readonly #afterStop: (() => void)[] = []
  /** Fires when the listener is closed; what waits for it gets a Deferred of its own. */
  #closing: Deferred<void>[] | undefined
  #closed = false
  #drained: Deferred<void>[] = []

  constructor(reactor: Reactor, host: Address, accept: Accept) {
    this.host = host
    this.#reactor = reactor
    this.#accept = accept
    trace?.at('listen', this, { addr: String(host), p: reactor })
  }

  /** Connections that came in here and are still open. */
  get connections(): number {
    return this.#connections.size
  }

  /**
   * Accepts no more connections.
   *
   * @returns fires when the port is free again and, with `drain`, the last connection is gone. Calling it again waits
   *   for the same end. Fails with what the factory's `stopFactory` threw; the port is free nevertheless.
   */
  stopListening({ drain }: StopOptions = {}): Deferred<void> {
    const stopped = this.#closeOnce()
    if (drain === undefined) return stopped
    for (const connection of this.#connections) connection.askToStop()
    return stopped.addCallback(() => this.#drain(drain))
  }

  /** Calls `f` once, when the listener is closed; what it throws fails the Deferred of `stopListening`. */
  atStop(f: () => void): void {
    this.#afterStop.push(f)
  }

  /** Close the listener, then call {@link listenerClosed}, in a later event. For the reactor that made the port. */
  protected abstract closeListener(): void

  /** A connection came in. For the reactor that made the port. */
  protected accepted(connection: Connection): void {
    this.#connections.add(connection)
    trace?.at('conn.open', connection, { addr: String(connection.peer), p: this.#reactor })
    this.#accept(connection)
  }

  /** A connection that came in here has ended. For the reactor that made the port. */
  protected ended(connection: Connection): void {
    this.#connections.delete(connection)
    if (this.#connections.size > 0) return
    for (const waiting of this.#drained.splice(0)) waiting.callback()
  }

  /** The listener is closed. For the reactor that made the port. */
  protected listenerClosed(): void {
    if (this.#closed) return
    this.#closed = true
    trace?.at('unlisten', this)
    let failure: { error: unknown } | undefined
    for (const f of this.#afterStop) {
      try {
        f()
      } catch (error) {
        failure ??= { error }
      }
    }
    for (const waiting of this.#closing ?? []) {
      if (failure === undefined) waiting.callback()
      else waiting.errback(failure.error)
    }
  }

  #closeOnce(): Deferred<void> {
    const stopped = new Deferred<void>()
    if (this.#closed) {
      stopped.callback()
    } else if (this.#closing === undefined) {
      this.#closing = [stopped]
      this.closeListener()
    } else {
      this.#closing.push(stopped)
    }
    return stopped
  }

  #drain(ms: number): Deferred<void> {
    const drained = new Deferred<void>()
    if (this.#connections.size === 0) {
      drained.callback()
      return drained
    }
    this.#drained.push(drained)
    const deadline = this.#reactor.callLater(ms, () => {
      for (const connection of this.#connections) connection.abortConnection()
    })
    return drained.addBoth((result) => {
      if (deadline.active()) deadline.cancel()
      return result
    })
  }
}
