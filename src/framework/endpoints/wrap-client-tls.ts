/**
 * TLS over whatever another endpoint connects to: a socket in the file system, a tunnel, a proxy.
 *
 * For TCP it is simpler to give the endpoint `tls`. Ancestor: `twisted.internet.endpoints.wrapClientTLS`.
 */
import type { Factory } from '../core/factory.ts'
import type { Protocol } from '../core/protocol.ts'
import { checkTLSOptions, type TLSClientOptions } from '../core/tls.ts'
import type { Deferred } from '../deferred/deferred.ts'
import { execute } from '../deferred/wrapping.ts'
import { type Policy, withPolicies } from '../policies/with-policies.ts'
import { type ClientEndpoint, type ConnectOptions, refuseClientFactory } from './endpoint.ts'

/** Whom the certificate must name has to be said (or why it does not matter): the endpoint beneath may know no name. */
export type WrapClientTLSOptions = TLSClientOptions &
  ({ readonly serverName: string } | { readonly insecure: { readonly reason: string } })

/**
 * The same endpoint, with TLS: it connects, shakes hands, verifies the server; only then does the factory build its
 * protocol, and `connect` fire. Where the handshake fails, `connect` fails with TLSError, and the connection beneath is
 * closed; so it is when `connect` is cancelled. A connection that cannot be encrypted fails with UnsupportedAddress.
 *
 * @throws TypeError for options that are wrong
 * @example wrapClientTLS({ serverName: 'poems.example' }, new UNIXClientEndpoint(reactor, '/run/tunnel'))
 */
export function wrapClientTLS(options: WrapClientTLSOptions, endpoint: ClientEndpoint): ClientEndpoint {
  checkTLSOptions('client', options)
  if (options.serverName === undefined && options.insecure === undefined) {
    throw new TypeError('wrapClientTLS needs `serverName`, the name that the certificate must have')
  }
  return new ClientTLSEndpoint(options, endpoint)
}

class ClientTLSEndpoint implements ClientEndpoint {
  readonly #endpoint: ClientEndpoint
  readonly #secured: Policy

  constructor(options: WrapClientTLSOptions, endpoint: ClientEndpoint) {
    this.#endpoint = endpoint
    this.#secured = (connection) => connection.startTLS({ ...options, role: 'client' }).addCallback(() => connection)
  }

  connect<P extends Protocol>(factory: Factory<P>, options?: ConnectOptions): Deferred<P> {
    return execute(() => {
      refuseClientFactory(factory)
      return this.#endpoint.connect(withPolicies(factory, this.#secured), options)
    })
  }

  /** As in `tls:unix:/run/tunnel`. */
  toString(): string {
    return `tls:${String(this.#endpoint)}`
  }
}
