/**
 * The reactor is the outside world as the framework sees it: time, chance, names, and connections in both directions.
 *
 * It is passed, not imported: whatever needs the world takes a reactor, so that the same code runs over sockets and over
 * the simulated network. There is no `run()`; Node's loop, or the simulation, already runs. Ancestors:
 * `twisted.internet.interfaces.IReactorCore`, `IReactorTime`, `IReactorTCP`.
 */
import { Deferred } from '../deferred/deferred.ts'
import { report } from '../deferred/reporter.ts'
import { fail } from '../deferred/wrapping.ts'
import {
  type Address,
  type DescriptorAddress,
  type IPAddress,
  IPv4Address,
  ipAddress,
  ProcessAddress,
  UNIXAddress,
} from './address.ts'
import { attach } from './attach.ts'
import type { ChildProcess, DialProcessOptions, SpawnOptions } from './child-process.ts'
import type { Clock, DelayedCall } from './clock.ts'
import { Connector } from './connector.ts'
import type { DatagramPort } from './datagram-port.ts'
import type { DatagramProtocol } from './datagram-protocol.ts'
import type { DatagramOptions } from './datagram-transport.ts'
import { CannotListenError, ConnectionClosed, NoProtocol, UnsupportedAddress } from './errors.ts'
import { type ClientFactory, type Factory, startUsing, stopUsing } from './factory.ts'
import type { Accept, ListeningPort } from './listening-port.ts'
import type { ProcessProtocol } from './process-protocol.ts'
import { ProcessTransport } from './process-transport.ts'
import type { ConnectionLimits } from './stream-connection.ts'
import type { TLSClientOptions, TLSServerOptions } from './tls.ts'
import type { Connection } from './transport.ts'
import type { Turn } from './turn.ts'

/** How {@link Reactor.dial} connects. */
export interface DialOptions extends ConnectionLimits {
  /** Milliseconds until the attempt fails with TCPTimedOutError. 30,000 unless given. */
  readonly timeout?: number | undefined
  /** The local address to start from. Any unless given. */
  readonly bindAddress?: IPAddress | undefined
  /** Speak TLS: the attempt succeeds when the server is verified, and fails with TLSError otherwise. */
  readonly tls?: TLSClientOptions | undefined
  /** For a ProcessAddress: what the process is started with. `timeout` and `bindAddress` mean nothing there. */
  readonly process?: DialProcessOptions | undefined
}

/** How {@link Reactor.listen} listens. */
export interface ListenOptions extends ConnectionLimits {
  /** How many connections may wait in the kernel. 511 unless given. */
  readonly backlog?: number | undefined
  /** How many connections may be open at once; further ones are closed at once and counted. */
  readonly maxConnections?: number | undefined
  /** Speak TLS: a connection comes in when its handshake is done. What fails in it is counted and closed. */
  readonly tls?: TLSServerOptions | undefined
  /**
   * Share the port with others that say the same, as other processes do: the system spreads the connections over them.
   * When one of them closes, those that wait for it in the kernel are reset.
   */
  readonly reusePort?: boolean | undefined
  /** Who may connect to a socket in the file system: its permissions. 0o600, the user that we run as, unless given. */
  readonly mode?: number | undefined
}

/** How {@link Reactor.listenTCP} listens. */
export interface ListenTCPOptions extends ListenOptions {
  /** The IP address of the network interface: all of IPv4 (`0.0.0.0`) unless given; `::` for IPv6. */
  readonly interface?: string | undefined
}

/** How {@link Reactor.listenUDP} listens. */
export interface ListenUDPOptions extends DatagramOptions {
  /** The IP address of the network interface: all of IPv4 (`0.0.0.0`) unless given; `::` for IPv6. */
  readonly interface?: string | undefined
}

export abstract class Reactor implements Clock {
  /* ---------------------------------------------------------------- what each reactor does its own way */

  /** Milliseconds since some fixed moment; see {@link Clock.now}. */
  abstract now(): number
  /** Milliseconds since 1970, in UTC: the date. It may jump; never measure with it. */
  abstract wallTime(): number
  /** A number from 0 up to, not including, 1. From a seed, where the reactor has one. */
  abstract random(): number
  abstract callLater(ms: number, f: () => unknown): DelayedCall

  /**
   * The addresses of a host name, in the order in which to try them, with port 0. An address as text is its own.
   *
   * @returns fails with DNSLookupError
   */
  abstract resolve(host: string): Deferred<readonly IPAddress[]>

  /**
   * Makes a connection. Nobody listens to it yet: give it to `attach`, or abort it.
   *
   * @returns fires in a later turn, or fails with a ConnectError; cancelling it frees everything and fails it with
   *   ConnectingCancelledError
   */
  abstract dial(address: Address, options?: DialOptions): Deferred<Connection>

  /**
   * Opens a listener.
   *
   * @param accept is called with each connection, which nobody listens to yet
   * @returns fires in a later turn, or fails with CannotListenError
   */
  abstract listen(address: Address, accept: Accept, options?: ListenOptions): Deferred<ListeningPort>

  /**
   * Starts a child process. Nobody listens to it yet: {@link spawnProcess} and {@link dial} are the ways to use it.
   *
   * A reactor that starts no processes leaves this as it is.
   *
   * @returns fires in a later turn, or fails with SpawnError, or with UnsupportedAddress; cancelling it kills the process
   *   and fails it with ConnectingCancelledError
   */
  spawn(address: ProcessAddress, _options?: SpawnOptions): Deferred<ChildProcess> {
    const failed = new Deferred<ChildProcess>()
    this.turn.soon(() => failed.errback(new UnsupportedAddress(address, 'this reactor starts no processes')))
    return failed
  }

  /**
   * Opens a port for datagrams. Nobody listens to it yet: give it its protocol (`deliverTo`), or stop it. A reactor that
   * has no datagrams leaves this as it is.
   *
   * @param address of type UDP; with port 0, any free one
   * @returns fires in a later turn, or fails with CannotListenError or UnsupportedAddress
   */
  bind(address: IPAddress, _options: DatagramOptions = {}): Deferred<DatagramPort> {
    return fail(new UnsupportedAddress(address, 'this reactor has no datagrams'))
  }

  /**
   * The sockets that whoever started this process has opened for it (`LISTEN_FDS` of systemd), in order: addresses to
   * {@link listen} at, each once. None unless a reactor knows better.
   */
  inheritedDescriptors(): readonly DescriptorAddress[] {
    return []
  }

  /** What user code writes in one turn leaves together at its end. For transports. */
  abstract readonly turn: Turn

  /* ---------------------------------------------------------------- stopping */

  #stopped: { readonly why: string } | undefined
  #waiting: Deferred<string>[] = []

  /**
   * The program is to end: fires {@link whenStopped}. The second call does nothing.
   *
   * @param why for people and exit codes: `SIGINT`, or whatever you say
   */
  stop(why = 'stop'): void {
    if (this.#stopped !== undefined) return
    this.#stopped = { why }
    for (const waiting of this.#waiting.splice(0)) waiting.callback(why)
  }

  /** How many wait in {@link whenStopped}: whether a {@link stop} will be noticed. */
  get waitingForStop(): number {
    return this.#waiting.length
  }

  /** Fires when the program is to end, with what {@link stop} was told. A fresh Deferred each time. */
  whenStopped(): Deferred<string> {
    const stopped: Deferred<string> = new Deferred<string>(() => {
      this.#waiting = this.#waiting.filter((waiting) => waiting !== stopped)
    })
    if (this.#stopped === undefined) this.#waiting.push(stopped)
    else stopped.callback(this.#stopped.why)
    return stopped
  }

  /* ---------------------------------------------------------------- Twisted's spelling */

  /**
   * Listens on a TCP port.
   *
   * @param port 0 to 65,535; 0 takes any free port, which {@link ListeningPort.host} then tells
   * @returns a Deferred, because Node cannot listen at once; fails with CannotListenError, and then the factory was
   *   never started
   */
  listenTCP(port: number, factory: Factory, options: ListenTCPOptions = {}): Deferred<ListeningPort> {
    return listenTo('TCP', options.interface, port).addCallback((address) => this.listenWith(address, factory, options))
  }

  /**
   * Listens for datagrams on a UDP port, and sends them from there. A client does the same, with port 0.
   *
   * @param port 0 to 65,535; 0 takes any free port, which the port's `host` then tells
   * @param protocol has one port at a time
   * @returns fires after the protocol's `startProtocol` has returned. Fails with CannotListenError, with
   *   UnsupportedAddress where there are no datagrams, or with what `startProtocol` threw; the port is closed then
   */
  listenUDP(port: number, protocol: DatagramProtocol, options: ListenUDPOptions = {}): Deferred<DatagramPort> {
    return listenTo('UDP', options.interface, port)
      .addCallback((address) => this.bind(address, options))
      .addCallback((bound) => {
        try {
          bound.deliverTo(protocol)
          return bound
        } catch (error) {
          return bound.stopListening().addCallback((): DatagramPort => {
            throw error
          })
        }
      })
  }

  /**
   * Listens at a path of the file system. A socket that a dead server has left there is replaced; anything else that is
   * there stays. The socket is removed when the port stops.
   *
   * @param path 107 bytes at most (103 on macOS)
   * @param options `mode` says who may connect: 0o600, the user that we run as, unless given
   * @returns fails with CannotListenError
   */
  listenUNIX(path: string, factory: Factory, options: ListenOptions = {}): Deferred<ListeningPort> {
    return this.listenWith(new UNIXAddress(path), factory, options)
  }

  /** Listens at any address, and gives each connection its protocol. */
  listenWith(address: Address, factory: Factory, options: ListenOptions = {}): Deferred<ListeningPort> {
    const accept = (connection: Connection): void => {
      attach(factory, connection).addErrback(({ value }) => {
        // A peer that has gone while its admission was waited for is nobody's mistake.
        if (!(value instanceof NoProtocol || value instanceof ConnectionClosed))
          report({ error: value, what: `A connection from ${connection.peer} got no protocol`, subject: factory })
      })
    }
    return this.listen(address, accept, options).addCallback((port) => {
      try {
        startUsing(factory)
      } catch (error) {
        return port.stopListening().addCallback((): ListeningPort => {
          throw error
        })
      }
      port.atStop(() => stopUsing(factory))
      return port
    })
  }

  /**
   * Connects to a TCP port, in the way of Twisted's first years: `clientFactory` is told how it goes. New code uses an
   * endpoint.
   *
   * @param port 1 to 65,535
   * @throws RangeError for another port, TypeError for a factory that is no ClientFactory, and what the factory's
   *   `startFactory` throws
   */
  connectTCP(host: string, port: number, clientFactory: ClientFactory, options: DialOptions = {}): Connector {
    const connector = new Connector(this, { host, port }, clientFactory, options)
    connector.connect()
    return connector
  }

  /** The same as {@link connectTCP}, to the socket at a path of the file system. */
  connectUNIX(path: string, clientFactory: ClientFactory, options: DialOptions = {}): Connector {
    const connector = new Connector(this, new UNIXAddress(path), clientFactory, options)
    connector.connect()
    return connector
  }

  /**
   * Starts a child process, and tells `protocol` what it says and how it ends. No shell is involved: `args` arrive as they
   * are, and the environment is what `env` says, nothing of ours.
   *
   * @param executable a path, or a name that is looked up in the PATH of `env`. A script without `#!` is run by /bin/sh;
   *   that is execvp(3), not us
   * @param args without the name of the program in front, where Twisted has it
   * @returns fires after `connectionMade` has returned. Fails with SpawnError, with UnsupportedAddress, or with what
   *   `connectionMade` threw
   *
   * @example
   * const { PATH } = process.env
   * const sort = await reactor.spawnProcess(new Lines(), 'sort', ['-r'], { env: { PATH } })
   * sort.write('b\na\n')
   * sort.closeStdin()
   */
  spawnProcess(
    protocol: ProcessProtocol,
    executable: string,
    args: readonly string[] = [],
    options: SpawnOptions = {},
  ): Deferred<ProcessTransport> {
    const spawned = this.spawn(new ProcessAddress(executable, args), options)
    return spawned.addCallback((child) => new ProcessTransport(this, child, protocol))
  }
}

function listenTo(type: 'TCP' | 'UDP', host = '', port: number): Deferred<IPAddress> {
  const address = new Deferred<IPAddress>()
  try {
    const found = host === '' ? new IPv4Address(type, '0.0.0.0', port) : ipAddress(host, port, type)
    if (found === undefined) throw new CannotListenError(host, 'an interface is an IP address of this machine')
    address.callback(found)
  } catch (error) {
    address.errback(error instanceof RangeError ? new CannotListenError(host, error.message, { cause: error }) : error)
  }
  return address
}
