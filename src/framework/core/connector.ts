/**
 * A connector makes one client connection and remembers where to, so that it can be made again.
 *
 * It is Twisted's older way to connect, kept for those who come from there. Ancestor:
 * `twisted.internet.base.BaseConnector`.
 */
import { Deferred } from '../deferred/deferred.ts'
import type { Failure } from '../deferred/failure.ts'
import { report } from '../deferred/reporter.ts'
import { UNIXAddress } from './address.ts'
import { attach } from './attach.ts'
import { checkedRemotePort, dialHost } from './dial-host.ts'
import { ConnectingCancelledError, ConnectionClosed, NoProtocol } from './errors.ts'
import { ClientFactory, startUsing, stopUsing } from './factory.ts'
import { guarded } from './guard.ts'
import type { DialOptions, Reactor } from './reactor.ts'
import type { Connection } from './transport.ts'

/** Where a connector goes to: a name or an IP address with its port, or a path of the file system. */
export type Destination = UNIXAddress | { readonly host: string; readonly port: number }

/** One client connection, and where to: see `reactor.connectTCP`. */
export class Connector {
  /** Where to, as given. */
  readonly destination: Destination
  /** Who connects; its clock is the one to wait on before the next {@link connect}. */
  readonly reactor: Reactor
  readonly #factory: ClientFactory
  readonly #options: DialOptions
  #state: 'disconnected' | 'connecting' | 'connected' = 'disconnected'
  /** Whether the factory counts us among its users. */
  #started = false
  #attempt: Deferred<void> | undefined
  #connection: Connection | undefined
  #connectedAt: number | undefined

  /**
   * Made by `reactor.connectTCP` or `connectUNIX`.
   *
   * @throws RangeError for a port that is none; TypeError for a factory that is no ClientFactory: it has none of the hooks
   *   that tell how it goes
   */
  constructor(reactor: Reactor, destination: Destination, factory: ClientFactory, options: DialOptions) {
    if (!(factory instanceof ClientFactory)) {
      throw new TypeError(
        'a connector tells a ClientFactory how it goes, and was given another kind of factory: use an endpoint' +
          ' (connect(factory) of a HostnameEndpoint, for example), whose Deferred tells it, or extend ClientFactory',
      )
    }
    if (!(destination instanceof UNIXAddress)) checkedRemotePort(destination.port)
    this.destination = destination
    this.reactor = reactor
    this.#factory = factory
    this.#options = options
  }

  /** How far it is now. */
  get state(): 'disconnected' | 'connecting' | 'connected' {
    return this.#state
  }

  /**
   * When the latest connection was made, on the reactor's clock, whether or not it is over; `undefined` before the first.
   */
  get connectedAt(): number | undefined {
    return this.#connectedAt
  }

  /** Begins an attempt. @throws Error unless disconnected */
  connect(): void {
    if (this.#state !== 'disconnected') throw new Error(`${this.#where}: the connector is ${this.#state} already`)
    if (!this.#started) {
      startUsing(this.#factory)
      this.#started = true
    }
    this.#state = 'connecting'
    this.#tell('startedConnecting', () => this.#factory.startedConnecting(this))
    // startedConnecting may have called stopConnecting already, and clientConnectionFailed then connect.
    if (this.#state !== 'connecting' || this.#attempt !== undefined) return
    let returned = false
    this.#attempt = this.#dial()
      .addErrback((failure) => (returned ? failure : this.#inLaterTurn(failure)))
      .addCallback((connection) => this.#connected(connection))
      .addCallbacks(
        (reason) => this.#ended(reason),
        (failure) => this.#failed(failure.value as Error),
      )
    returned = true
  }

  /** Gives the attempt up; `clientConnectionFailed` is called before this returns. @throws Error unless connecting */
  stopConnecting(): void {
    if (this.#state !== 'connecting') throw new Error(`${this.#where}: the connector is ${this.#state}, not connecting`)
    if (this.#attempt !== undefined) this.#attempt.cancel()
    else this.#failed(new ConnectingCancelledError(this.#where))
  }

  /** Gives the attempt up, or loses the connection. */
  disconnect(): void {
    if (this.#state === 'connecting') this.stopConnecting()
    else this.#connection?.loseConnection()
  }

  get #where(): string {
    const { destination } = this
    return destination instanceof UNIXAddress ? String(destination) : `${destination.host}:${destination.port}`
  }

  #dial(): Deferred<Connection> {
    const { destination } = this
    return destination instanceof UNIXAddress
      ? this.reactor.dial(destination, this.#options)
      : dialHost(this.reactor, destination.host, destination.port, this.#options)
  }

  /** Nobody is told of a failure before `connect` has returned, and a loop of failures does not fill the stack. */
  #inLaterTurn(failure: Failure): Deferred<never> {
    const later = new Deferred<never>(() => {
      call.cancel()
      later.errback(new ConnectingCancelledError(this.#where))
    })
    const call = this.reactor.callLater(0, () => later.errback(failure))
    return later
  }

  #connected(connection: Connection): Deferred<ConnectionClosed> {
    this.#state = 'connected'
    this.#connection = connection
    this.#connectedAt = this.reactor.now()
    return attach(this.#factory, connection)
      .addErrback(({ value }) => {
        if (value instanceof NoProtocol || value instanceof ConnectionClosed) return
        report({ error: value, what: `The connection with ${connection.peer} got no protocol`, subject: this.#factory })
      })
      .addCallback(() => connection.whenLost())
  }

  #ended(reason: ConnectionClosed): void {
    this.#attempt = undefined
    this.#connection = undefined
    this.#state = 'disconnected'
    this.#tell('clientConnectionLost', () => this.#factory.clientConnectionLost(this, reason))
    this.#stopUnlessConnecting()
  }

  #failed(reason: Error): void {
    this.#attempt = undefined
    this.#state = 'disconnected'
    this.#tell('clientConnectionFailed', () => this.#factory.clientConnectionFailed(this, reason))
    this.#stopUnlessConnecting()
  }

  /** The factory may have called {@link connect} again; then it has not stopped. */
  #stopUnlessConnecting(): void {
    if (this.#state !== 'disconnected') return
    this.#started = false
    this.#tell('stopFactory', () => stopUsing(this.#factory))
  }

  #tell(what: string, hook: () => void): void {
    guarded(this.reactor.turn, this, what, hook, {
      hookFailed: (error) =>
        report({ error, what: `${what} of ${this.#factory.constructor.name} failed`, subject: this.#factory }),
    })
  }
}
