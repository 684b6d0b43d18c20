/**
 * A server as a service: it listens from start to stop.
 *
 * Ancestor: `twisted.application.internet.StreamServerEndpointService`. What is ours: a start that cannot listen fails,
 * and a stop can wait for the connections.
 */
import type { Factory } from '../core/factory.ts'
import type { ListeningPort, StopOptions } from '../core/listening-port.ts'
import { Deferred } from '../deferred/deferred.ts'
import type { ServerEndpoint } from '../endpoints/endpoint.ts'
import { Service } from './service.ts'

/** Its start fails with CannotListenError, or with what the factory's `startFactory` threw. */
export class EndpointService extends Service {
  readonly #endpoint: ServerEndpoint
  readonly #factory: Factory
  readonly #options: StopOptions
  #port: ListeningPort | undefined
  /** Fires when the endpoint has answered. */
  #answered: Deferred<void> | undefined

  /** @param options `drain` says how long connections may take to finish when it stops; without it they are left alone */
  constructor(endpoint: ServerEndpoint, factory: Factory, options: StopOptions = {}) {
    super()
    this.#endpoint = endpoint
    this.#factory = factory
    this.#options = options
  }

  /** The open port, while it runs: `service.port?.host` is where it listens. */
  get port(): ListeningPort | undefined {
    return this.#port
  }

  protected override starting(): Deferred<void> {
    const listening = new Deferred<void>()
    // The question itself is never cancelled: the system would hold the port a while longer, and whoever starts us
    // again at once would find it taken.
    this.#answered = this.#endpoint.listen(this.#factory).addCallbacks(
      (port) => {
        this.#port = port
        listening.callback()
      },
      (failure) => listening.errback(failure),
    )
    return listening
  }

  protected override stopping(): Deferred<void> | undefined {
    return this.#answered?.addCallback(() => {
      const port = this.#port
      this.#port = undefined
      return port?.stopListening(this.#options)
    })
  }
}
