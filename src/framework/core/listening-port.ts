/**
 * An open port: where a server's connections come in, and how it stops, at once or gently.
 *
 * Ancestor: `IListeningPort` and `twisted.internet.tcp.Port`; draining is ours.
 */
import { Deferred } from '../deferred/deferred.ts'
import { report } from '../deferred/reporter.ts'
import { trace } from '../trace/hook.ts'
import type { Address } from './address.ts'
import type { DelayedCall } from './clock.ts'
import { codeOf } from './errors.ts'
import { asError, guarded } from './guard.ts'
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

/** Between two reports of clients that got no TLS at least so many milliseconds: anybody can cause them. */
const reportEvery = 1000

/** Whoever a port tells about its connections. What it throws aborts the connection and is reported. */
export type Accept = (connection: Connection) => void

/** An open port, as `listen` gives it. */
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
  #asked = false
  #drained: Deferred<void>[] = []
  #deadlines: DelayedCall[] = []
  #unsecuredReportedAt = -Infinity

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
   *   for the same end; of two deadlines the earlier counts. Fails with what the factory's `stopFactory` threw; the
   *   port is free nevertheless.
   * @throws RangeError if `drain` is no time; nothing is stopped then
   */
  stopListening({ drain }: StopOptions = {}): Deferred<void> {
    if (drain === undefined) return this.#closeOnce()
    this.#setDeadline(drain)
    const closed = this.#closeOnce()
    this.#askToStop()
    return closed.addBoth((result) => this.#whenDrained().addCallback(() => result))
  }

  /** Calls `f` once, when the listener is closed; what it throws fails the Deferred of `stopListening`. */
  atStop(f: () => void): void {
    this.#afterStop.push(f)
  }

  /** Those that came in here and are open, now and later. For the reactor that made the port. */
  protected get openConnections(): Iterable<Connection> {
    return this.#connections
  }

  /** Close the listener, then call {@link listenerClosed}, in a later event. For the reactor that made the port. */
  protected abstract closeListener(): void

  /** A connection came in. For the reactor that made the port. */
  protected accepted(connection: Connection): void {
    if (this.#closing !== undefined) {
      // It was on its way when the listener was told to close.
      connection.abortConnection()
      return
    }
    this.#connections.add(connection)
    guarded(this.#reactor.turn, this, 'accept', () => this.#accept(connection), {
      hookFailed: (error, what) => {
        report({ error, what: `${what} failed, so the connection with ${connection.peer} is aborted`, subject: this })
        connection.abortConnection(asError(error))
      },
    })
  }

  /** A connection came in, and its TLS handshake failed. For the reactor that made the port. */
  protected unsecured(error: Error): void {
    // Whoever looks whether somebody is here, and goes, has done nothing wrong.
    if (codeOf(error) === 'ECONNRESET') return
    const now = this.#reactor.now()
    if (now - this.#unsecuredReportedAt < reportEvery) return
    this.#unsecuredReportedAt = now
    report({ error, what: `A client got no TLS from the server at ${this.host}`, subject: this })
  }

  /** A connection that came in here has ended. For the reactor that made the port. */
  protected ended(connection: Connection): void {
    this.#connections.delete(connection)
    if (this.#connections.size > 0) return
    for (const deadline of this.#deadlines.splice(0)) if (deadline.active()) deadline.cancel()
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

  #setDeadline(ms: number): void {
    const deadline = this.#reactor.callLater(ms, () => {
      for (const connection of this.#connections) connection.abortConnection()
    })
    if (this.#connections.size === 0) deadline.cancel()
    else this.#deadlines.push(deadline)
  }

  #askToStop(): void {
    if (this.#asked) return
    this.#asked = true
    for (const connection of this.#connections) connection.askToStop()
  }

  #whenDrained(): Deferred<void> {
    const drained = new Deferred<void>()
    if (this.#connections.size === 0) drained.callback()
    else this.#drained.push(drained)
    return drained
  }
}
