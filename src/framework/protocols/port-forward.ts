/**
 * Port forwarding: whoever connects here talks to somebody elsewhere, and neither of them can tell.
 *
 * A forward has two ends, and each is the other's producer: what one cannot take waits in the kernel of whoever sends
 * it, never here. An end of input goes through as one, and a reset as a reset. Grammar of calls, at both ends:
 * `connectionMade dataReceived* readConnectionLost? connectionLost`. Ancestor: `twisted.protocols.portforward`. What is
 * ours: any endpoint on either side; half-closes; a connection that breaks does not look at the other end like one that
 * was complete; a client that leaves gives up the attempt that was made for it.
 */
import { type ConnectionClosed, ConnectionDone } from '../core/errors.ts'
import { Factory } from '../core/factory.ts'
import { asError } from '../core/guard.ts'
import type { PushProducer } from '../core/producer.ts'
import { type Hook, Protocol } from '../core/protocol.ts'
import { Deferred } from '../deferred/deferred.ts'
import type { Failure } from '../deferred/failure.ts'
import { report } from '../deferred/reporter.ts'
import { execute, succeed } from '../deferred/wrapping.ts'
import type { ClientEndpoint } from '../endpoints/endpoint.ts'

/**
 * One end of a forward. Override what you want to see or change, and pass the rest on with `super`: `dataReceived` gets
 * what goes to the other end. To close it yourself, abort it, or call `unregisterProducer` before `loseConnection`: a
 * connection with a producer waits for that, and its producer is the other end.
 */
export abstract class Proxy extends Protocol implements PushProducer {
  /** The other end; there from when both are until one of them is lost. */
  peer: Proxy | undefined
  readonly factory: ProxyFactory
  #inputOver = false
  /** Paused by the other end. */
  #held = false

  constructor(factory: ProxyFactory) {
    super()
    this.factory = factory
  }

  override connectionMade(): Hook {
    this.factory.opened(this)
  }

  override dataReceived(chunk: Uint8Array): Hook {
    this.peer?.transport.write(chunk)
  }

  /**
   * What ended may have been cut short (TLS without its goodbye). Then the connection closes by itself, but not before
   * its producer has finished, and that is the other end, which would never hear of it.
   */
  override inputEnded(): Error | undefined {
    this.transport.unregisterProducer()
    return undefined
  }

  /** It was not cut short: what the other end has to say goes on, and what this one had to say was all. */
  override readConnectionLost(): Hook {
    this.#inputOver = true
    const other = this.peer
    if (other === undefined) return
    if (!other.#inputOver) {
      this.transport.registerProducer(other, true)
      // A producer starts out un-paused; it is held back again at once, if it has to be.
      if (other.#held) other.resumeProducing()
    }
    other.transport.unregisterProducer()
    other.transport.loseWriteConnection()
  }

  override connectionLost(reason: ConnectionClosed): Hook {
    this.factory.closed(this)
    const other = this.peer
    if (other === undefined) return
    this.peer = other.peer = undefined
    if (!(reason instanceof ConnectionDone)) {
      other.transport.abortConnection(reason)
      return
    }
    other.transport.unregisterProducer()
    // What it has yet to be sent it may take as slowly as it likes; but what it has yet to say nobody would hear.
    if (other.#inputOver) other.transport.loseWriteConnection()
    else other.transport.loseConnection()
  }

  /** The other end cannot take more for now. */
  pauseProducing(): void {
    this.#held = true
    this.transport.pauseProducing()
  }

  /** It can again. */
  resumeProducing(): void {
    this.#held = false
    this.transport.resumeProducing()
  }

  /** It is lost; its `connectionLost` comes next, and knows how. */
  stopProducing(): void {}

  /** Lets the two feed each other. */
  protected join(other: Proxy): void {
    this.peer = other
    other.peer = this
    other.transport.registerProducer(this, true)
    this.transport.registerProducer(other, true)
  }
}

/** The end at which a client came in. It reads nothing until the other end is there. */
export class ProxyServer extends Proxy {
  #connecting: Deferred<void> | undefined
  #lost = false

  override connectionMade(): Hook {
    const made = super.connectionMade()
    this.transport.pauseProducing()
    this.#connecting = this.factory.endpoint.connect(this.factory.clientFactory(this)).addCallbacks(
      () => undefined,
      (failure) => this.#failed(failure),
    )
    return made
  }

  /**
   * The endpoint could not be reached. The failure has been reported; what the client gets to know is up to you: by
   * default a reset, since it may take a clean end for an empty answer. An override that speaks the client's protocol
   * says so in it, and calls `this.transport.loseConnection()`.
   *
   * @param reason what `endpoint.connect` failed with: a ConnectError, or what a hook threw
   */
  clientConnectionFailed(reason: Error): Hook {
    this.transport.abortConnection(reason)
  }

  override connectionLost(reason: ConnectionClosed): Hook {
    this.#lost = true
    this.#connecting?.cancel()
    return super.connectionLost(reason)
  }

  /** The port closes: what both sides have to say to each other only they know, so they have all the time there is. */
  override stopping(): Hook {}

  /** The other end is there. For {@link ProxyClient}. */
  connected(client: ProxyClient): void {
    if (this.#lost) {
      // An endpoint of somebody else's, which cannot be cancelled.
      client.transport.abortConnection()
      return
    }
    this.join(client)
    this.transport.resumeProducing()
  }

  #failed({ value }: Failure): Deferred<void> | undefined {
    // Nobody waits for it any more; most likely it failed because we have cancelled it.
    if (this.#lost) return undefined
    const reason = asError(value)
    const what = `${this.transport.peer} could not be forwarded to ${String(this.factory.endpoint)}`
    report({ error: reason, what, subject: this })
    return execute(() => this.clientConnectionFailed(reason)).addCallbacks(
      () => undefined,
      ({ value: error }) => {
        report({ error, what: 'clientConnectionFailed failed, so the connection is aborted', subject: this })
        this.transport.abortConnection(asError(error))
      },
    )
  }
}

/** The end that was connected for a client. */
export class ProxyClient extends Proxy {
  /** The end at which the client came in. */
  readonly server: ProxyServer

  constructor(server: ProxyServer) {
    super(server.factory)
    this.server = server
  }

  override connectionMade(): Hook {
    const made = super.connectionMade()
    this.server.connected(this)
    return made
  }
}

/**
 * Forwards every client to one endpoint. Limits are policies: `withPolicies(factory, limitConnections(1000))`.
 *
 * @example
 * const factory = new portForward.ProxyFactory(clientFromString(reactor, 'tcp:poems.example:10000'))
 * const port = await serverFromString(reactor, 'tcp:8000').listen(factory)
 * await reactor.whenStopped()
 * await port.stopListening({ drain: 10_000 })
 * await factory.whenIdle()
 */
export class ProxyFactory extends Factory<ProxyServer> {
  /** Where to. */
  readonly endpoint: ClientEndpoint
  readonly #ends = new Set<Proxy>()
  readonly #waiting: Deferred<void>[] = []

  constructor(endpoint: ClientEndpoint) {
    super()
    this.endpoint = endpoint
  }

  override buildProtocol(): ProxyServer | null {
    return new ProxyServer(this)
  }

  /**
   * Makes the other end. Override it to put policies there, or to build a ProxyClient of your own.
   *
   * @param server has its transport, and so knows for whom it is
   * @example
   * override clientFactory(server: portForward.ProxyServer) {
   *   const { peer: source, host: destination } = server.transport
   *   return withPolicies(super.clientFactory(server), sendProxyHeader(2, { source, destination }))
   * }
   */
  clientFactory(server: ProxyServer): Factory<ProxyClient> {
    return Factory.forProtocol(() => new ProxyClient(server))
  }

  /** How many connections are open, those to the endpoint included: a client that is forwarded has two. */
  get connections(): number {
    return this.#ends.size
  }

  /**
   * Fires when no connection is open, on either side: a listening port knows only of its own side, and may be drained
   * while the last bytes are still on their way to the other. A fresh Deferred each time.
   */
  whenIdle(): Deferred<void> {
    if (this.#ends.size === 0) return succeed()
    const idle = new Deferred<void>(() => this.#waiting.splice(this.#waiting.indexOf(idle), 1))
    this.#waiting.push(idle)
    return idle
  }

  /** For {@link Proxy}. */
  opened(end: Proxy): void {
    this.#ends.add(end)
  }

  /** For {@link Proxy}. */
  closed(end: Proxy): void {
    this.#ends.delete(end)
    if (this.#ends.size === 0) for (const idle of this.#waiting.splice(0)) idle.callback()
  }
}
