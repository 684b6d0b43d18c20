/**
 * A connector makes one client connection and remembers where to, so that it can be made again.
 *
 * It is Twisted's older way to connect, kept for those who come from there. Ancestor:
 * `twisted.internet.base.BaseConnector`.
 */
import type { Deferred } from '../deferred/deferred.ts'
import { report } from '../deferred/reporter.ts'
import { attach } from './attach.ts'
import { dialHost } from './dial-host.ts'
import { type ConnectionClosed, ConnectingCancelledError } from './errors.ts'
import { type ClientFactory, startUsing, stopUsing } from './factory.ts'
import { guarded } from './guard.ts'
import type { DialOptions, Reactor } from './reactor.ts'
import type { Connection } from './transport.ts'

export class Connector {
  /** Where to, as given: a name or an address. */
  readonly host: string
  readonly port: number
  readonly #reactor: Reactor
  readonly #factory: ClientFactory
  readonly #options: DialOptions
  #state: 'disconnected' | 'connecting' | 'connected' = 'disconnected'
  /** Whether the factory counts us among its users. */
  #started = false
  #attempt: Deferred<void> | undefined
  #connection: Connection | undefined

  /** Made by `reactor.connectTCP`. */
  constructor(reactor: Reactor, host: string, port: number, factory: ClientFactory, options: DialOptions) {
    this.host = host
    this.port = port
    this.#reactor = reactor
    this.#factory = factory
    this.#options = options
  }

  get state(): 'disconnected' | 'connecting' | 'connected' {
    return this.#state
  }

  /** Begins an attempt. @throws Error unless disconnected */
  connect(): void {
    if (this.#state !== 'disconnected') throw new Error(`${this.#where}: the connector is ${this.#state} already`)
    this.#state = 'connecting'
    if (!this.#started) {
      this.#started = true
      startUsing(this.#factory)
    }
    this.#tell('startedConnecting', () => this.#factory.startedConnecting(this))
    // startedConnecting may have called stopConnecting already.
    if (this.#state !== 'connecting') return
    this.#attempt = dialHost(this.#reactor, this.host, this.port, this.#options)
      .addCallback((connection) => {
        this.#state = 'connected'
        this.#connection = connection
        return attach(this.#factory, connection).addBoth(() => connection.whenLost())
      })
      .addCallbacks(
        (reason) => this.#ended(reason),
        (failure) => this.#failed(failure.value as Error),
      )
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
    return `${this.host}:${this.port}`
  }

  #ended(reason: ConnectionClosed): void {
    this.#connection = undefined
    this.#state = 'disconnected'
    this.#tell('clientConnectionLost', () => this.#factory.clientConnectionLost(this, reason))
    this.#stopUnlessConnecting()
  }

  #failed(reason: Error): void {
    this.#state = 'disconnected'
    this.#tell('clientConnectionFailed', () => this.#factory.clientConnectionFailed(this, reason))
    this.#stopUnlessConnecting()
  }

  /** The factory may have called {@link connect} again; then it has not stopped. */
  #stopUnlessConnecting(): void {
    if (this.#state !== 'disconnected') return
    this.#started = false
    stopUsing(this.#factory)
  }

  #tell(what: string, hook: () => void): void {
    guarded(this.#reactor.turn, this, what, hook, {
      hookFailed: (error) =>
        report({ error, what: `${what} of ${this.#factory.constructor.name} failed`, subject: this.#factory }),
    })
  }
}
