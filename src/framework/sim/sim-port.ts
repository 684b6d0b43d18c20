/**
 * An open port on a simulated host.
 *
 * Ancestor: `twisted.internet.tcp.Port`.
 */
import type { IPAddress } from '../core/address.ts'
import { type Accept, ListeningPort } from '../core/listening-port.ts'
import type { ListenOptions } from '../core/reactor.ts'
import type { SimConnection } from './sim-connection.ts'
import type { SimHost } from './sim-host.ts'
import { SimEvent, type Timeline } from './timeline.ts'

export class SimPort extends ListeningPort {
  declare readonly host: IPAddress
  readonly options: ListenOptions
  readonly #timeline: Timeline
  readonly #machine: SimHost
  #open = true

  constructor(timeline: Timeline, machine: SimHost, host: IPAddress, accept: Accept, options: ListenOptions) {
    super(machine.reactor, host, accept)
    this.options = options
    this.#timeline = timeline
    this.#machine = machine
  }

  /** The handshake is over, and the program gets the connection, unless it has ended or is one too many. */
  accept(connection: SimConnection): void {
    if (connection.disconnected) return
    const { maxConnections = Infinity } = this.options
    if (this.#open && this.connections < maxConnections) this.accepted(connection)
    else connection.abortConnection()
  }

  /** A connection that it accepted, or was going to accept, has ended. */
  left(connection: SimConnection): void {
    this.ended(connection)
  }

  protected override closeListener(): void {
    this.#open = false
    this.#machine.removeListener(this)
    this.#timeline.schedule(new SimEvent(this.#machine.reactor.turn, () => this.listenerClosed()))
  }
}
