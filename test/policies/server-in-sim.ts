/**
 * A server with policies in a simulated world, and clients that come to it from different hosts.
 */
import type { IPv4Address } from 'couplet'
import {
  type Connection,
  type ConnectionClosed,
  type Deferred,
  Factory,
  type Hook,
  IPv6Address,
  ipAddress,
  type Policy,
  type Protocol,
  type Report,
  setReporter,
  TCPClientEndpoint,
  withPolicies,
} from 'couplet'
import { Sim, type SimReactor } from 'couplet/sim'
import { AccumulatingProtocol, successResultOf } from 'couplet/testing'
import { onTestFinished } from 'vitest'

/** A server's protocol that says back whatever it hears. */
export class Echo extends AccumulatingProtocol {
  override dataReceived(chunk: Uint8Array): Hook {
    this.transport.write(chunk)
    return super.dataReceived(chunk)
  }
}

export class ServerInSim {
  readonly sim = new Sim()
  readonly reactor: SimReactor
  /** What was reported. */
  readonly reports: Report[] = []
  /** The server's protocols, in the order in which they were made. */
  readonly served: AccumulatingProtocol[] = []
  /** The connections that came in, below all policies; and why they ended. */
  readonly connections: Connection[] = []
  readonly ends: ConnectionClosed[] = []
  #port = 0

  constructor() {
    this.reactor = this.sim.host('server', { addresses: ['10.0.0.1', '2001:db8::1'] }).reactor
    onTestFinished(setReporter((report) => this.reports.push(report)))
  }

  /** Serves with these policies, from the wire inward. */
  serve(policies: readonly Policy[], build: () => AccumulatingProtocol = () => new Echo()): void {
    const factory = Factory.forProtocol(() => {
      const protocol = build()
      this.served.push(protocol)
      return protocol
    })
    const watch: Policy = (connection) => {
      this.connections.push(connection)
      connection.whenLost().addCallback((reason) => this.ends.push(reason))
      return connection
    }
    this.listen(withPolicies(factory, watch, ...policies))
  }

  listen(factory: Factory): void {
    // IPv4 comes to `::` as well, as on Linux.
    const listening = this.reactor.listenWith(new IPv6Address('TCP', '::', 0), factory)
    this.sim.advance()
    this.#port = (successResultOf(listening).host as IPv4Address).port
  }

  /** A client at this address; every client has a host of its own, except that the same address is the same host. */
  connect<P extends Protocol = AccumulatingProtocol>(from = '10.0.0.2', factory?: Factory<P>): P {
    const made = (factory ?? Factory.forProtocol(() => new AccumulatingProtocol())) as Factory<P>
    return successResultOf(this.connecting(from, made))
  }

  /** The same, if it may fail. */
  connecting<P extends Protocol>(from: string, factory: Factory<P>): Deferred<P> {
    const to = ipAddress(from)?.kind === 'IPv6' ? '2001:db8::1' : '10.0.0.1'
    const connecting = new TCPClientEndpoint(this.#host(from), to, this.#port).connect(factory)
    this.sim.advance()
    return connecting
  }

  /** Everything at once: a client that has said something already. */
  say(data: Uint8Array | string, from?: string): AccumulatingProtocol {
    const client = this.connect(from)
    client.transport.write(data)
    this.sim.advance()
    return client
  }

  get last(): AccumulatingProtocol {
    const last = this.served.at(-1)
    if (last === undefined) throw new Error('the server has made no protocol')
    return last
  }

  readonly #hosts = new Map<string, SimReactor>()

  #host(address: string): SimReactor {
    const host = this.#hosts.get(address) ?? this.sim.host(`client-${address}`, { addresses: [address] }).reactor
    this.#hosts.set(address, host)
    return host
  }
}

/** What broke, of a connection that something has broken. */
export function causeOf(reason: ConnectionClosed | undefined): Error {
  if (reason?.cause instanceof Error) return reason.cause
  throw new Error(`an end with a cause was expected, not ${String(reason)}`)
}
