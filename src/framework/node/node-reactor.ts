/**
 * The reactor of real programs: Node's sockets, clock and names.
 *
 * Node's loop runs already, and ends by itself when nothing is left to wait for, so there is no `run()`; `react` is the
 * way to write a program. Ancestor: `twisted.internet.epollreactor.EPollReactor`.
 */
import type { Socket } from 'node:net'
import {
  type Address,
  type DescriptorAddress,
  type IPAddress,
  IPv4Address,
  IPv6Address,
  type ProcessAddress,
  type UNIXAddress,
} from '../core/address.ts'
import { type ChildProcess, dialProcess, type SpawnOptions, terminate } from '../core/child-process.ts'
import type { DelayedCall } from '../core/clock.ts'
import { setByteSearch } from '../core/bytes.ts'
import type { DatagramPort } from '../core/datagram-port.ts'
import type { DatagramOptions } from '../core/datagram-transport.ts'
import { ConnectError, UnsupportedAddress } from '../core/errors.ts'
import type { Accept, ListeningPort, StopOptions } from '../core/listening-port.ts'
import { type DialOptions, type ListenOptions, Reactor } from '../core/reactor.ts'
import { listenAtStandardIO } from '../core/standard-io.ts'
import { checkTLSOptions } from '../core/tls.ts'
import type { Connection } from '../core/transport.ts'
import { Turn } from '../core/turn.ts'
import { Deferred } from '../deferred/deferred.ts'
import { deferredList } from '../deferred/gathering.ts'
import { report } from '../deferred/reporter.ts'
import { setUnhandledScheduler } from '../deferred/unhandled.ts'
import { succeed } from '../deferred/wrapping.ts'
import { startProcess } from './child-process.ts'
import { bindSocket } from './datagram-socket.ts'
import { dialSocket } from './dial-socket.ts'
import { inheritedDescriptors } from './inherited-descriptors.ts'
import { resolveHost } from './resolve-host.ts'
import type { SecureSocket } from './secure-socket.ts'
import { tcpAddress, unnamed } from './socket-addresses.ts'
import { SocketConnection } from './socket-connection.ts'
import { listenSocket, type Sockets } from './socket-port.ts'
import { dialStandardIO, type StandardIO } from './standard-io.ts'
import { SystemTimers } from './system-timers.ts'
import { whyNoPath } from './unix-path.ts'

/** What a reactor has in hand, in numbers. */
export interface ReactorStats {
  /** Connections that are open, in both directions. */
  readonly open: number
  /** Connections that came in and got their chance. */
  readonly accepted: number
  /** Connections that were turned away because too many were open. */
  readonly shed: number
  /** Connections that came in and whose TLS handshake failed. */
  readonly unsecured: number
  /** Ports that are open, those for datagrams too. */
  readonly ports: number
  /** Delayed calls that are to come. */
  readonly timers: number
  /** Child processes that have not ended; their connections are not counted above. */
  readonly children: number
}

type OpenPort = ListeningPort | DatagramPort

// Sooner than the timer that it is without us, and still after the turn and all its microtasks. Captured now, because
// fake timers, and simulated worlds, put something else in its place.
const afterTurn = setImmediate
setUnhandledScheduler((report) => {
  afterTurn(report)
})

// Node's search takes 0.15 µs for 16 KiB, and V8's 4.4; for a few bytes V8's is called sooner (on Node 24 up to 45, on
// Node 20 up to none).
const { indexOf } = Buffer.prototype
setByteSearch((bytes, byte, from) =>
  bytes.length - from < 32 ? bytes.indexOf(byte, from) : indexOf.call(bytes, byte, from),
)

export class NodeReactor extends Reactor {
  override readonly turn: Turn = new Turn({
    atEndOfTurn: (f) => process.nextTick(f),
    inNextTurn: (f) => {
      setImmediate(f)
    },
    // What is cut from a Buffer is a Buffer, which a socket takes as it is.
    memory: (size) => Buffer.allocUnsafeSlow(size),
  })
  readonly #timers = new SystemTimers(this, this.turn)
  readonly #ports = new Set<OpenPort>()
  #standardIO: StandardIO | undefined
  readonly #children = new Set<ChildProcess>()
  readonly #sockets: Sockets = {
    open: 0,
    dialed: new Set(),
    served: new Set(),
    accepted: 0,
    shed: 0,
    shaking: new Set(),
    unsecured: 0,
  }

  override now(): number {
    return performance.now()
  }

  override wallTime(): number {
    return Date.now()
  }

  override random(): number {
    return Math.random()
  }

  override callLater(ms: number, f: () => unknown): DelayedCall {
    return this.#timers.add(ms, f)
  }

  override resolve(host: string): Deferred<readonly IPAddress[]> {
    return resolveHost(host)
  }

  override dial(address: Address, options: DialOptions = {}): Deferred<Connection> {
    if (address.kind === 'process') return dialProcess(this, address, options)
    if (address.kind === 'stdio') return dialStandardIO(this, options).addCallback((dialed) => this.#owns(dialed))
    if (!isTCP(address) && address.kind !== 'UNIX') return this.#failLater(new UnsupportedAddress(address))
    const why = whyNoPlace(address)
    if (why !== undefined) return this.#failLater(new ConnectError(address, why))
    try {
      if (options.tls !== undefined) checkTLSOptions('client', options.tls)
    } catch (error) {
      return this.#failLater(error as TypeError)
    }
    return dialSocket(this, address, options, (socket, raw) => this.#open(socket, raw, address, options))
  }

  override listen(address: Address, accept: Accept, options: ListenOptions = {}): Deferred<ListeningPort> {
    if (address.kind === 'stdio') {
      return listenAtStandardIO(this, accept, options).addCallback((port) => this.#opened(port))
    }
    if (!isTCP(address) && address.kind !== 'UNIX' && address.kind !== 'descriptor') {
      return this.#failLater(new UnsupportedAddress(address))
    }
    try {
      if (options.tls !== undefined) checkTLSOptions('server', options.tls)
      const opened = listenSocket(this, address, accept, options, this.#sockets)
      return opened.addCallback((port) => this.#opened<ListeningPort>(port))
    } catch (error) {
      return this.#failLater(error as Error)
    }
  }

  override inheritedDescriptors(): readonly DescriptorAddress[] {
    return inheritedDescriptors()
  }

  override spawn(address: ProcessAddress, options: SpawnOptions = {}): Deferred<ChildProcess> {
    return startProcess(this, address, options, this.#children)
  }

  /**
   * Ends all child processes that run: SIGTERM, and SIGKILL for what has not ended `killAfter` milliseconds later.
   *
   * @returns fires when all have ended
   */
  endChildren({ killAfter }: { readonly killAfter: number }): Deferred<void> {
    const ended = [...this.#children].map((child) => terminate(this, child, { killAfter }))
    return deferredList(ended).addCallback(() => {})
  }

  override bind(address: IPAddress, options: DatagramOptions = {}): Deferred<DatagramPort> {
    if (address.type !== 'UDP') return this.#failLater(new UnsupportedAddress(address, 'datagrams need a UDP address'))
    return bindSocket(this, address, options).addCallback((port) => this.#opened(port))
  }

  /**
   * Closes all ports that are open, as `stopListening` does.
   *
   * @returns fires when all are closed and, with `drain`, their connections gone; what goes wrong is reported
   */
  stopPorts(options: StopOptions = {}): Deferred<void> {
    const ports = [...this.#ports]
    return deferredList(ports.map((port) => port.stopListening(options))).addCallback((results) => {
      for (const [index, result] of results.entries()) {
        if (result.ok) continue
        report({ error: result.failure.value, what: 'Closing a port failed', subject: ports[index] })
      }
    })
  }

  /**
   * Aborts every connection that is still in use, in both directions, and kills the child processes. For a program that must end now: if the system
   * closed them, what was sent by halves would look whole. One that is closing and has sent all is left to finish.
   */
  abortConnections(): void {
    const { dialed, served } = this.#sockets
    for (const connections of [dialed, ...served]) {
      for (const connection of connections) {
        if (!connection.disconnecting || connection.queued > 0) connection.abortConnection()
      }
    }
    for (const { stdio } of this.#children) stdio.abortConnection()
  }

  /** Whether standard input and output are, or were, a connection: what breaks them is that connection's business. */
  get usesStandardIO(): boolean {
    return this.#standardIO !== undefined
  }

  /**
   * Ends the output of the connection over standard input and output, if there is one. For a program that is about to end.
   *
   * @returns fires when all that was written to it is with the system, or nobody has taken it for as long as it lingers
   */
  endStandardOutput(): Deferred<void> {
    return this.#standardIO?.endOutput() ?? succeed(undefined)
  }

  /** What is in hand, in numbers. */
  stats(): ReactorStats {
    const { open, accepted, shed, unsecured } = this.#sockets
    return {
      open,
      accepted,
      shed,
      unsecured,
      ports: this.#ports.size,
      timers: this.#timers.size,
      children: this.#children.size,
    }
  }

  #open(socket: Socket | SecureSocket, raw: Socket, peer: IPAddress | UNIXAddress, options: DialOptions): Connection {
    const host = tcpAddress(raw.localAddress, raw.localPort) ?? unspecified(peer)
    const connection = new SocketConnection(this, socket, host, peer, options, this.#onEnded)
    this.#dialed(connection)
    return connection
  }

  #owns(connection: StandardIO): Connection {
    this.#standardIO = connection
    this.#dialed(connection)
    connection.whenLost().addCallback(() => this.#onEnded(connection))
    return connection
  }

  #dialed(connection: Connection): void {
    this.#sockets.dialed.add(connection)
    this.#sockets.open++
  }

  readonly #onEnded = (connection: Connection): void => {
    this.#sockets.dialed.delete(connection)
    this.#sockets.open--
  }

  #opened<P extends OpenPort>(port: P): P {
    this.#ports.add(port)
    port.atStop(() => this.#ports.delete(port))
    return port
  }

  /** An attempt never fails before its caller has the Deferred in hand. */
  #failLater(error: Error): Deferred<never> {
    const failed = new Deferred<never>()
    this.turn.soon(() => failed.errback(error))
    return failed
  }
}

function isTCP(address: Address): address is IPAddress {
  return (address.kind === 'IPv4' || address.kind === 'IPv6') && address.type === 'TCP'
}

function whyNoPlace(address: IPAddress | UNIXAddress): string | undefined {
  if (address.kind === 'UNIX') return whyNoPath(address)
  return address.port === 0 ? 'nobody can listen at port 0' : undefined
}

/** Our end of a connection that has ended before we looked. */
function unspecified({ kind }: IPAddress | UNIXAddress): Address {
  if (kind === 'UNIX') return unnamed
  return kind === 'IPv4' ? new IPv4Address('TCP', '0.0.0.0', 0) : new IPv6Address('TCP', '::', 0)
}
