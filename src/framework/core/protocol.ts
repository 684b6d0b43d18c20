/**
 * A protocol is one conversation: the object that is told when its connection is made, what arrives on it, and how it
 * ended. You subclass it.
 *
 * Grammar of calls: `makeConnection connectionMade dataReceived* inputEnded? readConnectionLost? connectionLost`.
 * Ancestor: `twisted.internet.protocol.Protocol`.
 */
import type { ConnectionClosed } from './errors.ts'
import type { Transport } from './transport.ts'

/**
 * What a hook returns: nothing, or something that settles later, which is looked after: if it fails, the connection
 * is aborted with that error as the cause, as if the hook had thrown it.
 */
export type Hook = void | PromiseLike<unknown>

/** One conversation: subclass it, and override the hooks that you need. */
export abstract class Protocol {
  /** The connection, from {@link connectionMade} on and for ever. Write to it; after the end that does nothing. */
  transport!: Transport

  /** Called once, first of all. Sets {@link transport}, then calls {@link connectionMade}. */
  makeConnection(transport: Transport): Hook {
    this.transport = transport
    return this.connectionMade()
  }

  /** Called once, when the connection can be used; nothing arrives before it has returned. */
  connectionMade(): Hook {}

  /**
   * Some bytes arrived. Where one chunk ends and the next begins means nothing: test with every chunking, down to one
   * byte at a time (`everyChunking` of `couplet/testing` does it).
   *
   * @param _chunk 1 byte or more; yours to keep
   */
  dataReceived(_chunk: Uint8Array): Hook {}

  /**
   * Called once, last of all, never from inside `loseConnection` or `abortConnection`; nothing is called after it.
   *
   * @param _reason a ConnectionDone (clean), ConnectionLost (peer or network) or ConnectionAborted (we ended it); what
   *   broke, if anything did, is its `cause`
   */
  connectionLost(_reason: ConnectionClosed): Hook {}

  /* What a protocol may do besides: a connection looks whether the method is there. */

  /**
   * The protocol that this one passes everything on to, if it only stands in between (a policy's Layer): errors name
   * that one. Ancestor: `ProtocolWrapper.wrappedProtocol` of `twisted.protocols.policies`.
   */
  declare readonly wrappedProtocol?: Protocol | undefined

  /**
   * Delivery goes on after a pause: called inside `transport.resumeProducing()`, before anything else is delivered. A
   * receiver hands on now what it had kept back while {@link Transport.paused} was true.
   */
  inputResumed?(): Hook

  /**
   * How many bytes arrived and wait here, undelivered. Asked when TLS starts in the middle of a connection: there may be
   * none, because what came in the clear must not be taken for something secret.
   */
  inputPending?(): number

  /**
   * The peer will send no more. Asked once, before anything else is done about it.
   *
   * @returns an error if what arrived is not complete (a receiver says IncompleteFrame); it becomes the cause of a
   *   ConnectionLost, so that a truncated message is never a clean end
   */
  inputEnded?(): Error | undefined

  /**
   * The peer will send no more, and you want to go on writing. A protocol that has this method closes the connection
   * itself; for one that has not, what is queued is sent and the connection closed.
   */
  readConnectionLost?(): Hook

  /** `loseWriteConnection` has done its work: all is sent, and the peer knows that no more will come. */
  writeConnectionLost?(): Hook

  /** The listener is closing with time to drain: finish soon. A protocol without it gets `loseConnection`. */
  stopping?(): Hook
}
