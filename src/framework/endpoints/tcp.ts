/**
 * TCP endpoints: a client's is a host and a port, a server's is a port.
 *
 * Ancestor: `TCP4ClientEndpoint`, `TCP4ServerEndpoint` and their kin in `twisted.internet.endpoints`; here the address
 * says which family it is.
 */
import { attach } from '../core/attach.ts'
import { dialHost } from '../core/dial-host.ts'
import { ConnectingCancelledError } from '../core/errors.ts'
import { type Factory, startUsing, stopUsing } from '../core/factory.ts'
import type { ListeningPort } from '../core/listening-port.ts'
import type { Protocol } from '../core/protocol.ts'
import type { DialOptions, ListenTCPOptions, Reactor } from '../core/reactor.ts'
import { Deferred } from '../deferred/deferred.ts'
import { CancelledError } from '../deferred/errors.ts'
import { report } from '../deferred/reporter.ts'
import { execute } from '../deferred/wrapping.ts'
import { type ClientEndpoint, type ConnectOptions, refuseClientFactory, type ServerEndpoint } from './endpoint.ts'

/** Connects to a host, by name or by address: its addresses are tried one after another, within one `timeout`. */
export class TCPClientEndpoint implements ClientEndpoint {
  readonly #reactor: Reactor
  readonly #host: string
  readonly #port: number
  readonly #options: DialOptions

  /** @param port - 1 to 65,535 */
  constructor(reactor: Reactor, host: string, port: number, options: DialOptions = {}) {
    this.#reactor = reactor
    this.#host = host
    this.#port = port
    this.#options = options
  }

  connect<P extends Protocol>(factory: Factory<P>, { signal }: ConnectOptions = {}): Deferred<P> {
    const begun = new Deferred<void>()
    if (signal?.aborted === true) begun.cancel(signal.reason)
    else begun.callback()
    const connected = begun
      .addCallback(() => this.#connect(factory))
      .addErrback((failure) => {
        const { value } = failure
        if (value instanceof CancelledError) throw new ConnectingCancelledError(String(this), { cause: value })
        return failure
      })
    return signal === undefined ? connected : connected.addSignal(signal)
  }

  toString(): string {
    return hostAndPort(this.#host, this.#port)
  }

  #connect<P extends Protocol>(factory: Factory<P>): Deferred<P> {
    refuseClientFactory(factory)
    startUsing(factory)
    return dialHost(this.#reactor, this.#host, this.#port, this.#options).addCallbacks(
      (connection) => {
        connection.whenLost().addCallback(() => release(factory))
        return attach(factory, connection)
      },
      (failure) => {
        release(factory)
        return failure
      },
    )
  }
}

/** Listens on a port, of all IPv4 interfaces of this machine unless `interface` says otherwise. */
export class TCPServerEndpoint implements ServerEndpoint {
  readonly #reactor: Reactor
  readonly #port: number
  readonly #options: ListenTCPOptions

  /** @param port - 0 to 65,535; 0 takes any free port, which the ListeningPort's `host` then tells */
  constructor(reactor: Reactor, port: number, options: ListenTCPOptions = {}) {
    this.#reactor = reactor
    this.#port = port
    this.#options = options
  }

  listen(factory: Factory): Deferred<ListeningPort> {
    return execute(() => {
      refuseClientFactory(factory)
      return this.#reactor.listenTCP(this.#port, factory, this.#options)
    })
  }

  toString(): string {
    return hostAndPort(this.#options.interface || '0.0.0.0', this.#port)
  }
}

function hostAndPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** The connection, or the attempt, is over; that the factory fails in its turn does not change how. */
function release(factory: Factory): void {
  try {
    stopUsing(factory)
  } catch (error) {
    report({ error, what: `stopFactory of ${factory.constructor.name} failed`, subject: factory })
  }
}
