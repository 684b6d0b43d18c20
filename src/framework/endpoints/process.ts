/**
 * A child process as an endpoint: connecting starts it, and the connection is its stdin and stdout.
 *
 * Ancestor: `ProcessEndpoint` of `twisted.internet.endpoints`.
 */
import { ProcessAddress } from '../core/address.ts'
import type { DialProcessOptions } from '../core/child-process.ts'
import type { Protocol } from '../core/protocol.ts'
import type { Factory } from '../core/factory.ts'
import type { Reactor } from '../core/reactor.ts'
import type { ConnectionLimits } from '../core/stream-connection.ts'
import type { Deferred } from '../deferred/deferred.ts'
import { connectOver } from './connect-over.ts'
import type { ClientEndpoint, ConnectOptions } from './endpoint.ts'

/** How {@link ProcessEndpoint} starts its process. */
export interface ProcessEndpointOptions extends DialProcessOptions, ConnectionLimits {}

/**
 * Starts a child process for each connection, as `reactor.spawnProcess` does, and talks to it through its stdin and
 * stdout. `connectionLost` comes when it has ended: ConnectionDone for exit code 0, otherwise ConnectionLost with
 * ProcessTerminated as the cause. Losing the connection ends the process, in bounded time.
 */
export class ProcessEndpoint implements ClientEndpoint {
  readonly #reactor: Reactor
  readonly #address: ProcessAddress
  readonly #options: ProcessEndpointOptions

  /**
   * @param executable a path, or a name that is looked up in the PATH of `env`
   * @param args without the name of the program in front
   * @param options `env` is all that it finds in its environment; its stderr goes where ours goes, unless `stderr` is
   *   `'ignore'`
   */
  constructor(
    reactor: Reactor,
    executable: string,
    args: readonly string[] = [],
    options: ProcessEndpointOptions = {},
  ) {
    this.#reactor = reactor
    this.#address = new ProcessAddress(executable, args)
    this.#options = options
  }

  connect<P extends Protocol>(factory: Factory<P>, options: ConnectOptions = {}): Deferred<P> {
    const { env, cwd, stderr, ...limits } = this.#options
    const dialed = { ...limits, process: { env, cwd, stderr } }
    return connectOver(() => this.#reactor.dial(this.#address, dialed), String(this), factory, options)
  }

  toString(): string {
    return String(this.#address)
  }
}
