/**
 * A connection over one of Node's stream sockets: it moves the bytes and says what happened; what that means is decided
 * in StreamConnection.
 *
 * It serves every `net.Socket`: TCP, UNIX, and TLS on top of them. Ancestor: `twisted.internet.tcp.Connection`.
 */
import { readSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Address } from '../core/address.ts'
import type { Reactor } from '../core/reactor.ts'
import { type ConnectionLimits, StreamConnection } from '../core/stream-connection.ts'
import type { StartTLSOptions, TLSFacts, TLSServerOptions } from '../core/tls.ts'
import { alertError, cutError } from '../core/tls-errors.ts'
import type { Connection } from '../core/transport.ts'
import type { Deferred } from '../deferred/deferred.ts'
import { execute } from '../deferred/wrapping.ts'
import { descriptorOf, inHandle } from './in-handle.ts'
import { resetSocket } from './reset-socket.ts'
import { secureAsClient, type SecureSocket, SecureServer } from './secure-socket.ts'
import { codeOf, whyLost } from './system-errors.ts'

/** Where a socket keeps its connection, so that all sockets can share the same listeners. */
const connectionOf = Symbol('couplet.connection')

interface OwnedSocket extends Socket {
  [connectionOf]: SocketConnection
}

/** The same listeners for every socket, which is their `this`. */
type Listener<Arguments extends unknown[] = []> = (this: OwnedSocket, ...args: Arguments) => void
let onData: Listener<[chunk: Uint8Array]>
let onEnd: Listener
let onFinish: Listener
let onError: Listener<[error: Error]>
let onClose: Listener

const [major = 0, minor = 0] = process.versions.uv.split('.').map(Number)
const resetsAreTold = process.platform === 'win32' || major > 1 || minor >= 52

const nothing = new Uint8Array(0)

export class SocketConnection extends StreamConnection {
  // Here, because only the class may call what its medium says.
  static {
    onData = function (chunk) {
      this[connectionOf].received(chunk)
    }
    onEnd = function () {
      const connection = this[connectionOf]
      const secure = connection.#secure
      // A peer who says goodbye in TLS has not reset the connection.
      const wasCut = secure?.wasCut() === true
      const mayBeReset = secure === undefined || wasCut
      if (mayBeReset && isReset(secure?.raw ?? this)) {
        this.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }))
      } else connection.peerFinished(wasCut ? cutError(connection.peer) : undefined)
    }
    onFinish = function () {
      const connection = this[connectionOf]
      // Its reset had to wait for this.
      if (connection.disconnected) connection.#resetNow()
      else connection.finished()
    }
    onError = function (error) {
      const connection = this[connectionOf]
      const said = connection.#secure === undefined ? undefined : alertError(connection.peer, error)
      connection.failed(said ?? error, said?.message ?? whyLost(error))
      // What breaks TLS leaves Node's socket open.
      if (connection.#secure !== undefined) this.destroy()
    }
    onClose = function () {
      this[connectionOf].closed()
    }
  }

  #socket: OwnedSocket
  #secure: SecureSocket | undefined

  /**
   * @param socket connected, made with `allowHalfOpen`, and nobody else's; or one that is secure
   * @param ended is called last of all, after `connectionLost`
   */
  constructor(
    reactor: Reactor,
    socket: Socket | SecureSocket,
    host: Address,
    peer: Address,
    limits: ConnectionLimits,
    ended: (connection: Connection) => void,
  ) {
    const secure = socket instanceof Socket ? undefined : socket
    super(reactor, host, peer, limits, ended)
    this.#secure = secure
    this.#socket = this.#own(socket instanceof Socket ? socket : socket.socket)
  }

  #own(socket: Socket): OwnedSocket {
    const owned = socket as OwnedSocket
    owned[connectionOf] = this
    // A listener for 'data' would start the flow, unless it is stopped before.
    socket.pause()
    const [nodes, ...others] = this.#secure === undefined ? socket.listeners('end') : []
    socket.on('data', onData)
    socket.on('end', onEnd)
    // On a socket that may be half open Node's own listener does nothing, and to have two takes a list of 80 bytes.
    if (nodes?.name === 'onReadableStreamEnd' && others.length === 0) socket.off('end', nodes as () => void)
    socket.on('error', onError)
    socket.on('close', onClose)
    // TLS has been reading while it shook hands, and what it saw of an end it has said before anybody listened.
    if (socket.readableEnded) this.reactor.turn.soon(() => onEnd.call(owned))
    if (socket.closed) this.reactor.turn.soon(() => onClose.call(owned))
    return owned
  }

  override get tls(): TLSFacts | undefined {
    return this.#secure?.facts
  }

  protected override secure({ role, ...options }: StartTLSOptions): Deferred<TLSFacts> {
    const raw = this.#socket
    raw.off('data', onData).off('end', onEnd).off('error', onError).off('close', onClose)
    const shaken =
      role === 'client'
        ? secureAsClient(this.reactor, raw, this.peer, options)
        : execute(() => new SecureServer(this.peer, options as TLSServerOptions).secure(this.reactor, raw, this.peer))
    return shaken.addCallbacks(
      (secure) => {
        this.#secure = secure
        this.#socket = this.#own(secure.socket)
        return secure.facts
      },
      (failure) => {
        if (raw.closed) this.reactor.turn.soon(() => this.closed())
        else raw.once('close', onClose).destroy()
        return failure
      },
    )
  }

  protected override startReading(): void {
    this.#socket.resume()
  }

  protected override stopReading(): void {
    this.#socket.pause()
  }

  protected override transmit(pieces: readonly Uint8Array[]): boolean {
    const socket = this.#socket
    if (pieces.length === 1) {
      socket.write(pieces[0]!)
    } else {
      socket.cork()
      for (const piece of pieces) socket.write(piece)
      socket.uncork()
    }
    if (socket.writableLength === 0) return true
    // A callback costs a tick of its own even when the kernel takes all at once, as it nearly always does. So only now,
    // behind what waits, an empty write asks to be told.
    socket.write(nothing, (error) => {
      if (!error) this.transmitted()
    })
    return false
  }

  protected override stillInFlight(): number {
    return inHandle(this.#socket) ?? super.stillInFlight()
  }

  protected override finish(): void {
    this.#socket.on('finish', onFinish).end()
  }

  protected override close(): void {
    this.#socket.destroy()
  }

  protected override reset(): void {
    const socket = this.#socket
    // libuv refuses to reset while a shutdown is on its way, and Node then leaves the socket open for ever.
    const ending = socket.writableEnded && !socket.writableFinished
    // TLS says goodbye before its end, and a peer that reads nothing takes no goodbye: that one cannot be waited for.
    if (ending && this.#secure !== undefined && this.stillInFlight() > 0) this.#secure.raw.destroy()
    else if (!ending) this.#resetNow()
  }

  #resetNow(): void {
    // What is beneath TLS is reset; that closes what is above it.
    resetSocket(this.#secure?.raw ?? this.#socket)
  }
}

/**
 * Whether what looks like the peer's FIN is a reset. Before libuv 1.52 (Node 20 and 22; libuv pull request 4997), a reset
 * that comes in together with data is announced as a clean end, and a download that broke off would look complete
 * (measured: 40 of 40). The system knows better: it has kept the error for whoever reads next, and after a FIN there is
 * nothing to read but that.
 */
function isReset(socket: Socket): boolean {
  if (resetsAreTold) return false
  const descriptor = descriptorOf(socket)
  if (descriptor === undefined) return false
  try {
    readSync(descriptor, new Uint8Array(1))
    return false
  } catch (error) {
    const code = codeOf(error)
    return code === 'ECONNRESET' || code === 'EPIPE'
  }
}
