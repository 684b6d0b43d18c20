/**
 * A connection over any of Node's duplex streams, so that a Protocol runs on whatever somebody has made a stream of: the
 * pipes of a child process, a pair in memory, a tunnel.
 *
 * Ancestor: `twisted.internet.stdio.StandardIO` in purpose. The reactor's own sockets do not go this way; theirs
 * (SocketConnection) is shorter.
 */
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import type { Address } from '../core/address.ts'
import { ConnectionAborted } from '../core/errors.ts'
import type { Reactor } from '../core/reactor.ts'
import { type ConnectionLimits, StreamConnection } from '../core/stream-connection.ts'
import type { Connection } from '../core/transport.ts'
import { resetSocket } from './reset-socket.ts'
import { reactor as scriptReactor } from './script-reactor.ts'
import { unnamed } from './socket-addresses.ts'
import { SocketConnection } from './socket-connection.ts'
import { whyLost } from './system-errors.ts'

/** How {@link fromDuplex} makes a connection. */
export interface FromDuplexOptions extends ConnectionLimits {
  /** Whose turns and timers the connection uses. The `reactor` of `couplet/node` unless given. */
  readonly reactor?: Reactor
  /** What to call this end. A stream does not know; a socket without a name unless given. */
  readonly host?: Address
  /** What to call the other end; it is named in errors. A socket without a name unless given. */
  readonly peer?: Address
}

/** A larger chunk is delivered in pieces, as a socket would, so that a pause takes effect in between. */
const largestChunk = 64 * 1024

/**
 * Makes a Connection of a duplex stream. Nobody listens to it yet: give it to `attach`, or deliver it to a Protocol.
 *
 * From now on the stream belongs to the connection: do not read from it, write to it, pipe or destroy it. It is made
 * half-open capable (`allowHalfOpen`), it is ended when the connection has said all it wanted, and destroyed when the
 * connection is over; an abort destroys it with an error. An error of the stream, or a `destroy()` by somebody else,
 * ends the connection with ConnectionLost.
 *
 * A socket of `node:net` (the tunnel that an HTTP proxy gave us, for example) can `startTLS`, like one of the reactor's
 * own. Other streams cannot: Node's TLS over them knows no half-close, and loses bytes at the end (measured).
 *
 * @param stream of bytes, open in both directions; of two streams, `Duplex.from({ readable, writable })` makes one
 * @throws TypeError for a stream of objects or of text; Error for one that has ended, or was destroyed
 *
 * @example
 * const child = spawn('sort')
 * const connection = fromDuplex(Duplex.from({ readable: child.stdout, writable: child.stdin }), {
 *   peer: new ProcessAddress('sort'),
 * })
 * connection.deliverTo(new Words())
 */
export function fromDuplex(
  stream: Duplex,
  { reactor = scriptReactor, host = unnamed, peer = unnamed, ...limits }: FromDuplexOptions = {},
): Connection {
  if (stream.readableObjectMode || stream.writableObjectMode) {
    throw new TypeError(`${peer}: a connection carries bytes, and this stream carries objects (objectMode)`)
  }
  if (stream.readableEncoding !== null) {
    throw new TypeError(`${peer}: a connection carries bytes, and this stream decodes them (setEncoding)`)
  }
  if (stream.destroyed || stream.readableEnded || stream.writableEnded) {
    throw new Error(`${peer}: this stream has ended already, in one direction at least`)
  }
  if (stream instanceof Socket && !(stream instanceof TLSSocket)) {
    stream.allowHalfOpen = true
    return new SocketConnection(reactor, stream, host, peer, limits, () => {})
  }
  return new DuplexConnection(reactor, stream, host, peer, limits)
}

class DuplexConnection extends StreamConnection {
  readonly #stream: Duplex
  #reads = false
  /** We have destroyed the stream; what it says about that is no news. */
  #over = false

  constructor(reactor: Reactor, stream: Duplex, host: Address, peer: Address, limits: ConnectionLimits) {
    super(reactor, host, peer, limits)
    this.#stream = stream
    // What the end of one direction means for the other is not the stream's business.
    stream.allowHalfOpen = true
    // A listener for 'data' would start the flow, unless it is stopped before.
    stream.pause()
    stream.on('data', (chunk: Buffer) => this.#take(chunk))
    stream.on('end', () => this.peerFinished())
    stream.on('finish', () => this.finished())
    stream.on('error', (error) => {
      this.failed(error, whyLost(error))
      // One that does not do so by itself (autoDestroy: false).
      stream.destroy()
    })
    // A stream says 'finish', 'end' and 'close' in one breath; what a hook at the first two has begun comes before the last.
    stream.on('close', () => reactor.turn.soon(() => this.#isClosed()))
  }

  protected override startReading(): void {
    this.#reads = true
    this.#stream.resume()
  }

  protected override stopReading(): void {
    this.#reads = false
    this.#stream.pause()
  }

  protected override transmit(pieces: readonly Uint8Array[]): boolean {
    let waits = false
    // In memory of its own: a stream may hand on what it was given, or keep it, long after it says that it has taken it.
    this.#stream.write(Buffer.concat(pieces), (error) => {
      if (waits && !error) this.transmitted()
    })
    waits = this.#stream.writableLength > 0
    return !waits
  }

  protected override finish(): void {
    this.#stream.end()
  }

  protected override close(): void {
    this.#destroy()
  }

  protected override reset(): void {
    const stream = this.#stream
    // libuv refuses to reset while a shutdown is on its way.
    const canReset = stream instanceof Socket && !(stream.writableEnded && !stream.writableFinished)
    if (!canReset) {
      this.#destroy(new ConnectionAborted())
      return
    }
    this.#over = true
    resetSocket(stream)
  }

  #take(chunk: Buffer): void {
    if (chunk.length <= largestChunk || this.disconnecting) {
      this.received(chunk)
      return
    }
    const stream = this.#stream
    // Paused, or it would come back at once, inside of this.
    stream.pause()
    stream.unshift(chunk.subarray(largestChunk))
    this.received(chunk.subarray(0, largestChunk))
    if (this.#reads) stream.resume()
  }

  #destroy(error?: Error): void {
    this.#over = true
    this.#stream.destroy(error)
    // A stream may have been told not to speak of its end (emitClose: false).
    this.reactor.turn.soon(() => {
      if (this.#stream.closed) this.closed()
    })
  }

  #isClosed(): void {
    if (!this.#over && !this.#stream.readableEnded) this.failed(new Error('the stream was closed before it had ended'))
    this.closed()
  }
}
