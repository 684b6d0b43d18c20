/**
 * An open port on a simulated host: connections wait in the kernel until the program takes them.
 *
 * Ancestor: `twisted.internet.tcp.Port`.
 */
import { type Accept, ListeningPort } from '../../core/listening-port.ts'
import type { ListenOptions } from '../../core/reactor.ts'
import type { TLSServerOptions } from '../../core/tls.ts'
import { keyOf } from '../random-stream.ts'
import type { SimHost } from '../sim-host.ts'
import type { SimProcess } from '../sim-process.ts'
import type { SimReactor } from '../sim-reactor.ts'
import { SimEvent, type Timeline } from '../timeline.ts'
import type { Place } from './port-table.ts'
import type { SimConnection } from './sim-connection.ts'

/** So many connections may wait, unless the listener wants it otherwise. */
const usualBacklog = 511

export class SimPort extends ListeningPort {
  declare readonly host: Place
  readonly reactor: SimReactor
  readonly process: SimProcess
  readonly options: ListenOptions
  readonly #timeline: Timeline
  readonly #machine: SimHost
  readonly #waiting: SimConnection[] = []
  /** Those that are not secure yet. */
  readonly #shaking = new Set<SimConnection>()
  readonly #accepts: SimEvent
  #open = true

  constructor(
    timeline: Timeline,
    machine: SimHost,
    reactor: SimReactor,
    host: Place,
    accept: Accept,
    options: ListenOptions,
  ) {
    super(reactor, host, accept)
    this.reactor = reactor
    this.process = reactor.process
    this.options = options
    this.#timeline = timeline
    this.#machine = machine
    const key = keyOf(`accept:${machine.name}:${host}`)
    this.#accepts = new SimEvent(reactor.process, 'program', key, () => this.#acceptAll())
  }

  /** How many connections wait for the program to take them. */
  get waiting(): number {
    return this.#waiting.length
  }

  /** Whether no more connections may wait. As on Linux, one more than the backlog does. */
  get isFull(): boolean {
    return this.#waiting.length > (this.options.backlog ?? usualBacklog)
  }

  /** The handshake is over; the program gets the connection as soon as it can take it. */
  takes(connection: SimConnection): void {
    this.#waiting.push(connection)
    if (this.process.ready) this.#acceptAll()
    else if (!this.#accepts.due) this.#timeline.schedule(this.#accepts)
  }

  /** A connection that it accepted, or was going to accept, has ended. */
  left(connection: SimConnection): void {
    this.ended(connection)
  }

  protected override closeListener(): void {
    this.#open = false
    this.#machine.ports.removeListener(this)
    this.process.descriptors.delete(this)
    for (const connection of this.#waiting.splice(0).concat(...this.#shaking)) connection.abortConnection()
    this.reactor.inLaterEvent(() => this.listenerClosed())
  }

  #acceptAll(): void {
    for (const connection of this.#waiting.splice(0)) this.#accept(connection)
  }

  #accept(connection: SimConnection): void {
    // It may have ended while it waited.
    if (connection.disconnected) return
    const { maxConnections = Infinity } = this.options
    if (!this.#open || this.connections + this.#shaking.size >= maxConnections) connection.abortConnection()
    // What a process does that has no descriptor left: it takes the connection, closes it, and notices nothing.
    else if (!this.#machine.opened(this.process, connection)) connection.dismiss()
    else if (this.options.tls === undefined) this.accepted(connection)
    else this.#shakeHands(connection, this.options.tls)
  }

  #shakeHands(connection: SimConnection, tls: TLSServerOptions): void {
    this.#shaking.add(connection)
    connection.shakeHands({ role: 'server', ...tls }).addCallbacks(
      () => {
        this.#shaking.delete(connection)
        this.accepted(connection)
      },
      ({ value }) => {
        this.#shaking.delete(connection)
        this.unsecured(value as Error)
      },
    )
  }
}
