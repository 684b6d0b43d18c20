/**
 * Connects a protocol that exists already: the shortest way to one client connection.
 *
 * Ancestor: `twisted.internet.endpoints.connectProtocol`.
 */
import { Factory } from '../core/factory.ts'
import type { Protocol } from '../core/protocol.ts'
import type { Deferred } from '../deferred/deferred.ts'
import type { ClientEndpoint, ConnectOptions } from './endpoint.ts'

/**
 * Connects `protocol` to the endpoint, once.
 *
 * @returns fires with `protocol`, and fails as {@link ClientEndpoint.connect} does
 * @example const poem = await connectProtocol(endpoint, new PoetryClientProtocol())
 */
export function connectProtocol<P extends Protocol>(
  endpoint: ClientEndpoint,
  protocol: P,
  options?: ConnectOptions,
): Deferred<P> {
  return endpoint.connect(
    Factory.forProtocol(() => protocol),
    options,
  )
}
