/**
 * An open port over one of Node's servers, of TCP or in the file system: makes a connection of each socket that comes in,
 * after its TLS handshake if there is one, or turns it away.
 *
 * Ancestors: `twisted.internet.tcp.Port`, `twisted.internet.unix.Port`.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { type Address, type DescriptorAddress, type IPAddress, UNIXAddress } from '../core/address.ts'
import { CannotListenError } from '../core/errors.ts'
import { type Accept, ListeningPort } from '../core/listening-port.ts'
import type { ListenOptions, Reactor } from '../core/reactor.ts'
import type { TLSServerOptions } from '../core/tls.ts'
import type { Connection } from '../core/transport.ts'
import { Deferred } from '../deferred/deferred.ts'
import { report } from '../deferred/reporter.ts'
import { mostConnections } from './descriptor-limit.ts'
import { whyNoSocket, whyNotAdopted } from './inherited-descriptors.ts'
import { resetSocket } from './reset-socket.ts'
import { whyNoReusePort } from './reuse-port.ts'
import { SecureServer, type SecureSocket } from './secure-socket.ts'
import { peerAddress, tcpAddress, unnamed } from './socket-addresses.ts'
import { SocketConnection } from './socket-connection.ts'
import { socketOptions } from './socket-options.ts'
import { codeOf, listenError } from './system-errors.ts'
import { bindWithMode, hasDirectory, takeOver, whyNoPath } from './unix-path.ts'

/** What a reactor knows of its sockets; all its ports share it, because they share the descriptors. */
export interface Sockets {
  /** Connections that are open now, in both directions. */
  open: number
  /** Those that went out. */
  readonly dialed: Set<Connection>
  /** Those that came in, by their port. (To be in two sets takes 30 bytes more of each connection.) */
  readonly served: Set<Iterable<Connection>>
  /** Connections that came in and got their chance. */
  accepted: number
  /** Connections that were turned away because too many were open. */
  shed: number
  /** TLS handshakes that are under way, of connections that came in: they use descriptors as well. */
  readonly shaking: Set<Socket>
  /** Connections that came in and whose TLS handshake failed. */
  unsecured: number
}

/** Between two reports of connections turned away, or of failed handshakes, at least so many milliseconds. */
const reportEvery = 1000

type Place = IPAddress | UNIXAddress | DescriptorAddress

/**
 * What `reactor.listen` does for TCP, for sockets in the file system, and for those that were left to us.
 *
 * @returns fires in a later turn, or fails with CannotListenError
 * @throws CannotListenError for what can be seen before anything is opened
 */
export function listenSocket(
  reactor: Reactor,
  address: Place,
  accept: Accept,
  options: ListenOptions,
  sockets: Sockets,
): Deferred<SocketPort> {
  const secure = options.tls === undefined ? undefined : secureServer(address, options.tls)
  const { mode = 0o600, backlog, reusePort = false } = options
  const why = (reusePort ? whyNotShared(address) : undefined) ?? whyNotThere(address)
  if (why !== undefined) throw new CannotListenError(address, why)
  const open = (): Deferred<SocketPort> =>
    openServer(address, { backlog, reusePort }, mode).addCallback(
      (server) => new SocketPort(reactor, server, address, accept, options, sockets, secure),
    )
  return address.kind === 'UNIX' ? atPath(address, mode, open) : open()
}

function whyNotShared({ kind }: Place): string | undefined {
  if (kind === 'IPv4' || kind === 'IPv6') return whyNoReusePort()
  return 'only ports of TCP and UDP that we open ourselves can be shared (reusePort)'
}

function whyNotThere(address: Place): string | undefined {
  return address.kind === 'descriptor' ? whyNoSocket(address) : undefined
}

function secureServer(address: Place, options: TLSServerOptions): SecureServer {
  try {
    return new SecureServer(address, options)
  } catch (error) {
    throw new CannotListenError(address, (error as Error).message.replace(`${address}: `, ''), { cause: error })
  }
}

/** Opens a socket in the file system, in the place of a dead one if need be. */
function atPath(address: UNIXAddress, mode: number, open: () => Deferred<SocketPort>): Deferred<SocketPort> {
  const why = whyNoPath(address)
  if (why !== undefined) throw new CannotListenError(address, why)
  if (!(Number.isInteger(mode) && mode >= 0 && mode <= 0o777)) {
    throw new CannotListenError(address, `a mode is a number from 0 to 0o777, not ${mode}`)
  }
  return open().addErrback(({ value }): Deferred<SocketPort> => {
    const cause: unknown = value instanceof CannotListenError ? value.cause : undefined
    const code = codeOf(cause)
    if (code === 'EACCES' && !hasDirectory(address)) {
      throw new CannotListenError(address, 'the directory of this path does not exist', { cause })
    }
    if (code !== 'EADDRINUSE') throw value
    return takeOver(address).addCallback((occupied) => {
      if (occupied === undefined) return open()
      throw new CannotListenError(address, occupied, { cause })
    })
  })
}

/** Opens a server; what is opened after it was cancelled is closed again. */
function openServer(
  address: Place,
  options: Pick<ListenOptions, 'backlog' | 'reusePort'>,
  mode: number,
): Deferred<Server> {
  const opened = new Deferred<Server>()
  const server = createServer(socketOptions)
  const onError = (cause: Error): void => {
    const adopted = address.kind === 'descriptor'
    opened.errback(
      adopted ? new CannotListenError(address, whyNotAdopted(cause), { cause }) : listenError(address, cause),
    )
  }
  server.once('error', onError)
  server.once('listening', () => {
    server.off('error', onError)
    if (opened.called) server.close()
    else opened.callback(server)
  })
  if (address.kind === 'UNIX') {
    bindWithMode(address.path, mode, () => server.listen({ path: address.path, backlog: options.backlog }))
  } else if (address.kind === 'descriptor') {
    server.listen({ fd: address.descriptor, backlog: options.backlog })
  } else {
    server.listen({ host: address.host, port: address.port, ...options })
  }
  return opened
}

export class SocketPort extends ListeningPort {
  readonly #reactor: Reactor
  readonly #server: Server
  readonly #options: ListenOptions
  readonly #sockets: Sockets
  readonly #secure: SecureServer | undefined
  /** Sockets that came in here and are not secure yet. */
  readonly #shaking = new Set<Socket>()
  readonly #mostConnections = mostConnections()
  /** Where every connection comes in, if it can be only one place. One address for all of them takes less memory. */
  readonly #ownAddress: Address | undefined
  /** Turned away, and not reported yet. */
  #shed = 0
  #reportedAt = -Infinity

  /**
   * @param server listening
   * @param address where it was told to listen
   */
  constructor(
    reactor: Reactor,
    server: Server,
    address: Place,
    accept: Accept,
    options: ListenOptions,
    sockets: Sockets,
    secure?: SecureServer,
  ) {
    super(reactor, boundTo(server, address), accept)
    this.#reactor = reactor
    this.#server = server
    this.#options = options
    this.#sockets = sockets
    this.#secure = secure
    // (Whoever opened an inherited socket may have made it take what was meant for others.)
    this.#ownAddress = address.kind === 'descriptor' || isAnyAddress(this.host) ? undefined : this.host
    server.on('connection', (socket: Socket) => this.#take(socket))
    server.on('error', (error) => report({ error, what: `The listener at ${this.host} failed`, subject: this }))
  }

  protected override closeListener(): void {
    // The port is free when this returns. Node's own callback would wait until the last connection has ended.
    this.#server.close()
    for (const socket of this.#shaking) resetSocket(socket)
    this.#reactor.turn.soon(() => this.listenerClosed())
  }

  #take(socket: Socket): void {
    const { maxConnections = Infinity } = this.#options
    const peer = this.host instanceof UNIXAddress ? unnamed : peerAddress(socket)
    const open = this.connections + this.#shaking.size
    const openInAll = this.#sockets.open + this.#sockets.shaking.size
    if (peer === undefined) {
      // It has gone before we could greet it.
      drop(socket)
    } else if (open >= maxConnections) {
      this.#turnAway(socket, open, maxConnections, 'maxConnections')
    } else if (this.#options.maxConnections === undefined && openInAll >= this.#mostConnections) {
      this.#turnAway(socket, openInAll, this.#mostConnections, '`ulimit -n`, or maxConnections')
    } else {
      const host = this.#ownAddress ?? tcpAddress(socket.localAddress, socket.localPort) ?? this.host
      if (this.#secure === undefined) this.#open(socket, host, peer)
      else this.#shakeHands(this.#secure, socket, host, peer)
    }
  }

  #open(socket: Socket | SecureSocket, host: Address, peer: Address): void {
    const connection = new SocketConnection(this.#reactor, socket, host, peer, this.#options, this.#onEnded)
    this.#sockets.accepted++
    this.#sockets.open++
    this.#sockets.served.add(this.openConnections)
    this.accepted(connection)
  }

  #shakeHands(server: SecureServer, socket: Socket, host: Address, peer: Address): void {
    this.#shaking.add(socket)
    this.#sockets.shaking.add(socket)
    const done = (): void => {
      this.#shaking.delete(socket)
      this.#sockets.shaking.delete(socket)
    }
    server.secure(this.#reactor, socket, peer).addCallbacks(
      (secured) => {
        done()
        this.#open(secured, host, peer)
      },
      ({ value }) => {
        done()
        this.#sockets.unsecured++
        this.unsecured(value as Error)
      },
    )
  }

  readonly #onEnded = (connection: Connection): void => {
    this.#sockets.open--
    this.ended(connection)
    if (this.connections === 0) this.#sockets.served.delete(this.openConnections)
  }

  /** With a reset: a clean end would look like a server that has nothing to say. */
  #turnAway(socket: Socket, open: number, limit: number, raise: string): void {
    drop(socket)
    this.#sockets.shed++
    this.#shed++
    const now = this.#reactor.now()
    if (now - this.#reportedAt < reportEvery) return
    const many = this.#shed === 1 ? '1 connection' : `${this.#shed} connections`
    const error = new Error(
      `${this.host}: ${many} turned away: ${open} are open, the limit is ${limit} (raise ${raise})`,
    )
    report({ error, what: 'Too many connections', subject: this })
    this.#reportedAt = now
    this.#shed = 0
  }
}

function drop(socket: Socket): void {
  socket.on('error', () => {})
  resetSocket(socket)
}

/** Whether it stands for all the addresses of this machine. */
function isAnyAddress(address: Address): boolean {
  return (address.kind === 'IPv4' && address.host === '0.0.0.0') || (address.kind === 'IPv6' && address.host === '::')
}

/** With port 0 asked for, the port that it got; of an inherited socket, where it is. */
function boundTo(server: Server, asked: Place): Address {
  if (asked.kind === 'UNIX') return asked
  const bound = server.address()
  if (asked.kind !== 'descriptor') {
    return typeof bound === 'object' && bound !== null ? asked.withPort(bound.port) : asked
  }
  // Of a socket in the file system that somebody else has opened, Node does not know the path.
  return (typeof bound === 'object' && tcpAddress(bound?.address, bound?.port)) || unnamed
}
