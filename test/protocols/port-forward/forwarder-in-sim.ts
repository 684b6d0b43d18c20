/** A client, a forwarder and a server on hosts of their own, with a witness at each end. */
import {
  connectProtocol,
  type ConnectionClosed,
  Factory,
  type ListeningPort,
  portForward,
  type Report,
  setReporter,
  TCPClientEndpoint,
  TCPServerEndpoint,
} from 'couplet'
import { Sim, type SimHost, type SimOptions } from 'couplet/sim'
import { successResultOf, Witness, type WitnessScript } from 'couplet/testing'
import { expect, onTestFinished } from 'vitest'

/** Refuses to get anything before there is anybody to give it to, and remembers how it ended. */
export class WatchedServer extends portForward.ProxyServer {
  reason: ConnectionClosed | undefined

  override dataReceived(chunk: Uint8Array) {
    expect(this.peer).toBeDefined()
    return super.dataReceived(chunk)
  }

  override connectionLost(reason: ConnectionClosed) {
    this.reason = reason
    return super.connectionLost(reason)
  }
}

export class WatchedFactory extends portForward.ProxyFactory {
  readonly servers: WatchedServer[] = []

  override buildProtocol(): portForward.ProxyServer | null {
    const server = new WatchedServer(this)
    this.servers.push(server)
    return server
  }
}

/** Ends its side when the peer ends its own, and never closes by itself. */
export const keepsHalf: WitnessScript = { readLost: () => undefined }

/** Two ends that each wait until the other one has read would wait for ever. */
const bothSpeakAtLength = { readWhileFull: true }

export class ForwarderInSim {
  readonly sim: Sim
  readonly client: SimHost
  readonly forwarder: SimHost
  readonly server: SimHost
  readonly factory: portForward.ProxyFactory
  /** What was reported. */
  readonly reports: Report[] = []
  /** The witnesses of the server, in the order in which they came. */
  readonly served: Witness[] = []
  readonly #listening: TCPServerEndpoint
  #port: ListeningPort | undefined

  constructor(
    options: SimOptions = {},
    build: (endpoint: TCPClientEndpoint) => portForward.ProxyFactory = (endpoint) => new WatchedFactory(endpoint),
  ) {
    this.sim = new Sim({ latency: 1, ...options })
    this.client = this.sim.host('client')
    this.forwarder = this.sim.host('forwarder')
    this.server = this.sim.host('server')
    this.factory = build(new TCPClientEndpoint(this.forwarder.reactor, 'server', 80))
    this.#listening = new TCPServerEndpoint(this.forwarder.reactor, 8000)
    onTestFinished(setReporter((report) => this.reports.push(report)))
  }

  get port(): ListeningPort {
    return this.#port!
  }

  /** Opens the forwarder's port. */
  forward(factory: Factory = this.factory): this {
    const listening = this.#listening.listen(factory)
    this.sim.advance()
    this.#port = successResultOf(listening)
    return this
  }

  /** Opens the server's port. */
  serve(script: WitnessScript = keepsHalf): this {
    this.server.reactor.listenTCP(
      80,
      Factory.forProtocol(() => {
        const witness = new Witness(script)
        this.served.push(witness)
        return witness
      }),
      bothSpeakAtLength,
    )
    this.sim.advance()
    return this
  }

  /** A client that has connected to the forwarder, which is on its way to the server. @param ms how long that takes */
  connect(script: WitnessScript = keepsHalf, ms = 3): Witness {
    const endpoint = new TCPClientEndpoint(this.client.reactor, 'forwarder', 8000, bothSpeakAtLength)
    const connecting = connectProtocol(endpoint, new Witness(script))
    this.sim.advance(ms)
    return successResultOf(connecting)
  }

  /** A client and its server, who can talk to each other. */
  pair(near: WitnessScript = keepsHalf, far: WitnessScript = keepsHalf): { near: Witness; far: Witness } {
    this.forward().serve(far)
    const client = this.connect(near)
    this.sim.advance(10)
    return { near: client, far: this.served[0]! }
  }

  /** Nothing is open, nothing is to come, nothing was reported. */
  isOver(): void {
    expect(this.factory.connections).toBe(0)
    expect(this.sim.connections).toBe(0)
    expect(this.sim.pending).toBe(0)
    expect(this.reports).toEqual([])
  }
}
