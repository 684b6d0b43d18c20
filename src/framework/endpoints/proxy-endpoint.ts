/**
 * A server endpoint behind a proxy: what comes in begins with a PROXY header, and its protocols see the client.
 *
 * Ancestor: `twisted.protocols.haproxy.proxyEndpoint`.
 */
import type { Factory } from '../core/factory.ts'
import type { ListeningPort } from '../core/listening-port.ts'
import type { Deferred } from '../deferred/deferred.ts'
import { execute } from '../deferred/wrapping.ts'
import { proxyProtocol, type ProxyProtocolOptions } from '../policies/proxy-protocol.ts'
import { type Policy, withPolicies } from '../policies/with-policies.ts'
import type { ServerEndpoint } from './endpoint.ts'

/**
 * The same endpoint, for clients who come through a proxy. It is `withPolicies(factory, proxyProtocol(options))` for
 * whatever factory listens there; as text, `haproxy:trusted=10.0.0.0/8:tcp:8000`.
 *
 * @throws RangeError as `proxyProtocol` does
 */
export function proxyEndpoint(endpoint: ServerEndpoint, options: ProxyProtocolOptions): ServerEndpoint {
  return new ProxyEndpoint(endpoint, proxyProtocol(options))
}

class ProxyEndpoint implements ServerEndpoint {
  readonly #endpoint: ServerEndpoint
  readonly #policy: Policy

  constructor(endpoint: ServerEndpoint, policy: Policy) {
    this.#endpoint = endpoint
    this.#policy = policy
  }

  listen(factory: Factory): Deferred<ListeningPort> {
    return execute(() => this.#endpoint.listen(withPolicies(factory, this.#policy)))
  }

  /** As in `haproxy:tcp:8000`. */
  toString(): string {
    return `haproxy:${String(this.#endpoint)}`
  }
}
