/**
 * An open TCP port over one of Node's servers: makes a connection of each socket that comes in, or turns it away.
 *
 * Ancestor: `twisted.internet.tcp.Port`.
 */
import { createServer, type Server, type Socket } from 'node:net'
import type { Address, IPAddress } from '../core/address.ts'
import { type Accept, ListeningPort } from '../core/listening-port.ts'
import type { ListenOptions, Reactor } from '../core/reactor.ts'
import type { Connection } from '../core/transport.ts'
import { Deferred } from '../deferred/deferred.ts'
import { report } from '../deferred/reporter.ts'
import { mostConnections } from './descriptor-limit.ts'
import { tcpAddress } from './socket-addresses.ts'
import { SocketConnection } from './socket-connection.ts'
import { socketOptions } from './socket-options.ts'
import { listenError } from './system-errors.ts'

/** What a reactor knows of its sockets; all its ports share it, because they share the descriptors. */
export interface Sockets {
  /** Connections that are open now, in both directions. */
  readonly open: Set<Connection>
  /** Connections that came in and got their chance. */
  accepted: number
  /** Connections that were turned away because too many were open. */
  shed: number
}

/** Between two reports of connections turned away, at least so many milliseconds. */
const reportEvery = 1000

/**
 * What `reactor.listen` does for TCP.
 *
 * @returns fires in a later turn, or fails with CannotListenError
 */
export function listenSocket(
  reactor: Reactor,
  address: IPAddress,
  accept: Accept,
  options: ListenOptions,
  sockets: Sockets,
): Deferred<SocketPort> {
  const opened = new Deferred<SocketPort>()
  const server = createServer(socketOptions)
  const onError = (error: Error): void => opened.errback(listenError(address, error))
  server.once('error', onError)
  server.once('listening', () => {
    server.off('error', onError)
    if (opened.called) server.close()
    else opened.callback(new SocketPort(reactor, server, address, accept, options, sockets))
  })
  server.listen({ host: address.host, port: address.port, backlog: options.backlog })
  return opened
}

export class SocketPort extends ListeningPort {
  readonly #reactor: Reactor
  readonly #server: Server
  readonly #options: ListenOptions
  readonly #sockets: Sockets
  readonly #mostConnections = mostConnections()
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
    address: IPAddress,
    accept: Accept,
    options: ListenOptions,
    sockets: Sockets,
  ) {
    super(reactor, boundTo(server, address), accept)
    this.#reactor = reactor
    this.#server = server
    this.#options = options
    this.#sockets = sockets
    server.on('connection', (socket: Socket) => this.#take(socket))
    server.on('error', (error) => report({ error, what: `The listener at ${this.host} failed`, subject: this }))
  }

  protected override closeListener(): void {
    // The port is free when this returns. Node's own callback would wait until the last connection has ended.
    this.#server.close()
    this.#reactor.turn.soon(() => this.listenerClosed())
  }

  #take(socket: Socket): void {
    const { maxConnections = Infinity } = this.#options
    const peer = tcpAddress(socket.remoteAddress, socket.remotePort)
    if (peer === undefined) {
      // It has gone before we could greet it.
      drop(socket)
    } else if (this.connections >= maxConnections) {
      this.#turnAway(socket, this.connections, maxConnections, 'maxConnections')
    } else if (this.#options.maxConnections === undefined && this.#sockets.open.size >= this.#mostConnections) {
      this.#turnAway(socket, this.#sockets.open.size, this.#mostConnections, '`ulimit -n`, or maxConnections')
    } else {
      const host = tcpAddress(socket.localAddress, socket.localPort) ?? this.host
      const connection = new SocketConnection(this.#reactor, socket, host, peer, this.#options, this.#onEnded)
      this.#sockets.accepted++
      this.#sockets.open.add(connection)
      this.accepted(connection)
    }
  }

  readonly #onEnded = (connection: Connection): void => {
    this.#sockets.open.delete(connection)
    this.ended(connection)
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
  socket.resetAndDestroy()
}

/** With port 0 asked for, the port that it got. */
function boundTo(server: Server, asked: IPAddress): Address {
  const bound = server.address()
  return typeof bound === 'object' && bound !== null ? asked.withPort(bound.port) : asked
}
