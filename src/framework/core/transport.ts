/**
 * A transport carries the bytes of one connection: what a Protocol writes to, pauses and closes.
 *
 * Ancestor: `ITransport` and `ITCPTransport` of `twisted.internet.interfaces`, with the contract that DESIGN decisions
 * 6 to 10 describe; the same over sockets and over the simulated network.
 */
import type { Deferred } from '../deferred/deferred.ts'
import type { Address } from './address.ts'
import type { Data } from './bytes.ts'
import type { ConnectionClosed } from './errors.ts'
import type { HookOwner } from './guard.ts'
import type { Consumer, PushProducer } from './producer.ts'
import type { Protocol } from './protocol.ts'
import type { StartTLSOptions, TLSFacts } from './tls.ts'

/** How `loseConnection` closes. */
export interface LoseOptions {
  /** Milliseconds after which the connection is aborted if it is still not closed, whatever progress it makes. */
  readonly abortAfter?: number
  /** What broke. With it the connection ends as ConnectionAborted, and this is the reason's `cause`. */
  readonly cause?: Error
}

/** One end of a connection, as its Protocol sees it. It is a producer too: pause it, and nothing is delivered. */
export interface Transport extends Consumer, PushProducer {
  /** The other end. */
  readonly peer: Address
  /** This end. */
  readonly host: Address
  /**
   * Whether closing has begun: `loseConnection` or `abortConnection` was called, or the peer has ended the input and the
   * protocol has no `readConnectionLost` that would let it go on.
   */
  readonly disconnecting: boolean
  /** Whether `connectionLost` has been called, or is about to be. */
  readonly disconnected: boolean
  /**
   * Whether what arrives is held back: by {@link pauseProducing}, by TLS that is about to begin, or because what was
   * written waits for a slow peer. Whoever delivers several things from a chunk asks each time.
   */
  readonly paused: boolean
  /** Bytes written that the operating system has not taken yet. */
  readonly queued: number
  /** What was agreed upon with the peer, if this is TLS; there before `connectionMade`, or once `startTLS` fired. */
  readonly tls?: TLSFacts | undefined

  /**
   * Sends bytes, or text as UTF-8, after everything written before. What is written in one turn leaves in one system
   * call. After the close has begun it does nothing.
   *
   * @param data do not change it afterwards; pieces above 2 KiB are not copied
   */
  write(data: Data): void

  /** Sends the pieces one after the other. */
  writeSequence(pieces: Iterable<Data>): void

  /**
   * Closes when everything written has been sent (and the registered producer has finished): flush, FIN, read and
   * discard until the peer closes too. `connectionLost` follows later, never inside this call.
   */
  loseConnection(options?: LoseOptions): void

  /**
   * Closes at once with a reset; what is queued is dropped. `connectionLost(ConnectionAborted)` follows later, never
   * inside this call. The peer sees ConnectionLost; over a socket of the file system, which has no reset, it may see a
   * clean end.
   *
   * @param cause what broke, if something did
   */
  abortConnection(cause?: Error): void

  /**
   * Says that we will write no more, when everything written has been sent; reading goes on. Over TLS it is the goodbye
   * (close_notify) and the FIN; there, peers that are not ours often answer it by closing, what TLS before 1.3 told them
   * to do (RFC 8446, section 6.1).
   */
  loseWriteConnection(): void

  /**
   * Goes on with TLS, on the connection that is there. What was written before leaves in the clear, what is written from
   * now on is encrypted; nothing is delivered, and {@link paused} is true, until the peer is verified.
   *
   * Bytes that arrived in the clear behind the frame in which you call this are never delivered as if they were secret:
   * if a receiver has kept any ({@link Protocol.inputPending}), the connection is aborted with RemoteProtocolError.
   *
   * @returns fires when the connection is secure. Fails with TLSError, with UnsupportedAddress where there is no TLS, or
   *   with TypeError for options that are wrong; except for the last two the connection ends with that as the cause.
   *   Cancelling it aborts the connection
   */
  startTLS(options: StartTLSOptions): Deferred<void>

  /**
   * Delivers nothing until {@link resumeProducing}, the peer's end included; the peer is held back once the buffers are
   * full.
   */
  pauseProducing(): void
  /** Reads on, and asks the protocol for what it kept back itself ({@link Protocol.inputResumed}). */
  resumeProducing(): void
  /** The same as `loseConnection()`. */
  stopProducing(): void
}

/**
 * A connection that nobody listens to yet: a Transport that can still be given its Protocol. Reactors make them,
 * policies wrap them, `attach` gives them away; a Protocol sees the Transport only.
 */
export interface Connection extends Transport, HookOwner {
  /**
   * Makes `protocol` the one that is told what happens, calls its `makeConnection`, and begins to read.
   *
   * @throws what `makeConnection` threw, after aborting the connection with it as the cause; or the reason, if the
   *   connection has ended already
   */
  deliverTo(protocol: Protocol): void

  /** Asks the protocol to finish soon: calls its `stopping`, or `loseConnection` where it has none. */
  askToStop(): void

  /** Fires with the reason, after the protocol's `connectionLost` has returned. A fresh Deferred each time. */
  whenLost(): Deferred<ConnectionClosed>
}
