/**
 * What can go wrong with a connection, an attempt to make one, a listener, or the bytes on the wire.
 *
 * Each error goes to one place: an attempt's to the errback of `connect()` or `listen()`, a connection's to
 * `connectionLost(reason)`, a mistake of the program's is thrown. Every one has a `name`, a `code`, and, where
 * another error lies beneath it, a `cause`. Ancestor: `twisted.internet.error`.
 */
import { CancelledError } from '../deferred/errors.ts'
import type { Address } from './address.ts'

/** A host or an address as text, for a message. @inline */
type Subject = Address | string

/* ------------------------------------------------------------------ an attempt to connect failed */

/** An attempt to connect failed. Comes to the errback of `connect()`, `dial()`, or to `clientConnectionFailed`. */
export class ConnectError extends Error {
  static {
    this.prototype.name = 'ConnectError'
  }
  readonly code: string = 'ERR_CONNECT'
  /** Whom we tried to reach. */
  readonly address: Subject

  constructor(address: Subject, message = 'could not connect', options?: ErrorOptions) {
    super(`${address}: ${message}`, options)
    this.address = address
  }
}

/** The name could not be turned into an address: unknown, or the resolver failed (see `cause`). */
export class DNSLookupError extends ConnectError {
  static {
    this.prototype.name = 'DNSLookupError'
  }
  override readonly code: string = 'ERR_DNS_LOOKUP'

  constructor(host: string, message = 'unknown host (is the name spelled right?)', options?: ErrorOptions) {
    super(host, message, options)
  }
}

/** Nobody listens there. */
export class ConnectionRefusedError extends ConnectError {
  static {
    this.prototype.name = 'ConnectionRefusedError'
  }
  override readonly code: string = 'ERR_CONNECTION_REFUSED'

  constructor(address: Subject, options?: ErrorOptions) {
    super(address, 'connection refused (is the server running?)', options)
  }
}

/** The network knows no way there. */
export class NoRouteError extends ConnectError {
  static {
    this.prototype.name = 'NoRouteError'
  }
  override readonly code: string = 'ERR_NO_ROUTE'

  constructor(address: Subject, options?: ErrorOptions) {
    super(address, 'no route to this address (is the network up?)', options)
  }
}

/** No answer in time, from our own timer (30 s unless asked otherwise) or from the operating system's. */
export class TCPTimedOutError extends ConnectError {
  static {
    this.prototype.name = 'TCPTimedOutError'
  }
  override readonly code: string = 'ERR_TCP_TIMED_OUT'

  constructor(address: Subject, ms?: number, options?: ErrorOptions) {
    super(address, ms === undefined ? 'connecting timed out' : `no connection within ${ms} ms`, options)
  }
}

/** You cancelled the attempt; `cause` is the CancelledError. */
export class ConnectingCancelledError extends ConnectError {
  static {
    this.prototype.name = 'ConnectingCancelledError'
  }
  override readonly code: string = 'ERR_CONNECTING_CANCELLED'

  constructor(address: Subject, options?: ErrorOptions) {
    super(address, 'the attempt to connect was cancelled', options)
  }
}

/** What an attempt fails with whose Deferred was cancelled, with the reason that was given, if any. */
export function attemptCancelled(address: Subject, reason: unknown): ConnectingCancelledError {
  const cause = new CancelledError(undefined, reason === undefined ? {} : { cause: reason })
  return new ConnectingCancelledError(address, { cause })
}

/** None of a host's addresses could be reached. The message says of each why, up to eight of them. */
export class AllAttemptsFailed extends ConnectError {
  static {
    this.prototype.name = 'AllAttemptsFailed'
  }
  override readonly code: string = 'ERR_ALL_ATTEMPTS_FAILED'
  /** What each attempt failed with, in the order in which they did; the last one is the `cause`. */
  readonly errors: readonly Error[]

  constructor(address: Subject, errors: readonly Error[]) {
    const shown = errors.slice(0, 8).map(({ message }) => message)
    const more = errors.length > shown.length ? `; and ${errors.length - shown.length} more` : ''
    super(address, `none of ${errors.length} addresses could be reached: ${shown.join('; ')}${more}`, {
      cause: errors.at(-1),
    })
    this.errors = errors
  }
}

/** The local address that the attempt should start from cannot be used. */
export class ConnectBindError extends ConnectError {
  static {
    this.prototype.name = 'ConnectBindError'
  }
  override readonly code: string = 'ERR_CONNECT_BIND'
}

/** This reactor cannot reach, or listen at, an address of this kind. */
export class UnsupportedAddress extends ConnectError {
  static {
    this.prototype.name = 'UnsupportedAddress'
  }
  override readonly code: string = 'ERR_UNSUPPORTED_ADDRESS'

  constructor(address: Subject, message = 'this reactor has no transport for such an address', options?: ErrorOptions) {
    super(address, message, options)
  }
}

/**
 * TLS could not be had, or was cut: what the certificate is wrong about, whom we talked to, what to try. As the failure
 * of an attempt it comes before `connectionMade`; of a connection it is the `cause`.
 */
export class TLSError extends ConnectError {
  static {
    this.prototype.name = 'TLSError'
  }
  /** The exact code: that of OpenSSL (`CERT_HAS_EXPIRED`) or Node, or one of ours (`ERR_TLS_…`). */
  override readonly code: string
  /**
   * Where it went wrong: our own certificate and key cannot be used, the handshake broke, the peer's certificate is not
   * one that we accept, or the connection ended without the peer having said so.
   */
  readonly phase: 'certificate' | 'handshake' | 'verification' | 'end'

  constructor(peer: Subject, phase: TLSError['phase'], code: string, message: string, options?: ErrorOptions) {
    super(peer, message, options)
    this.phase = phase
    this.code = code
  }

  /** The other end. */
  get peer(): Subject {
    return this.address
  }
}

/**
 * `buildProtocol` or `admit` said no: the connection was made, and closed again. It is an answer, not an accident, so
 * servers do not report it; policies throw subclasses of it that say why.
 */
export class NoProtocol extends ConnectError {
  static {
    this.prototype.name = 'NoProtocol'
  }
  override readonly code: string = 'ERR_NO_PROTOCOL'

  constructor(address: Subject, message = 'the factory wants no protocol for this connection', options?: ErrorOptions) {
    super(address, message, options)
  }
}

/* ------------------------------------------------------------------ an attempt to listen failed */

/** The listener could not be opened: the port is taken, not permitted, or the interface is not this machine's. */
export class CannotListenError extends Error {
  static {
    this.prototype.name = 'CannotListenError'
  }
  readonly code: string = 'ERR_CANNOT_LISTEN'
  /** Where we tried to listen. */
  readonly address: Subject

  constructor(address: Subject, why: string, options?: ErrorOptions) {
    super(`${address}: cannot listen: ${why}`, options)
    this.address = address
  }
}

/* ------------------------------------------------------------------ an established connection ended */

/**
 * An established connection ended. `connectionLost(reason)` gets one of {@link ConnectionDone}, {@link ConnectionLost}
 * and {@link ConnectionAborted}; what broke, if something did, is `reason.cause`.
 */
export abstract class ConnectionClosed extends Error {
  readonly code: string = 'ERR_CONNECTION_CLOSED'
}

/** A clean end: both sides had said all they wanted. */
export class ConnectionDone extends ConnectionClosed {
  static {
    this.prototype.name = 'ConnectionDone'
  }
  override readonly code: string = 'ERR_CONNECTION_DONE'

  constructor(message = 'connection closed cleanly', options?: ErrorOptions) {
    super(message, options)
  }
}

/** Not a clean end: the peer or the network broke it, or what it sent was cut short. */
export class ConnectionLost extends ConnectionClosed {
  static {
    this.prototype.name = 'ConnectionLost'
  }
  override readonly code: string = 'ERR_CONNECTION_LOST'

  constructor(message = 'connection lost', options?: ErrorOptions) {
    super(message, options)
  }
}

/** Not a clean end, and we ended it: `abortConnection`, a hook that threw, a broken frame, a queue that overflowed. */
export class ConnectionAborted extends ConnectionLost {
  static {
    this.prototype.name = 'ConnectionAborted'
  }
  override readonly code: string = 'ERR_CONNECTION_ABORTED'

  constructor(message = 'connection aborted', options?: ErrorOptions) {
    super(message, options)
  }
}

/** Cause only: after `loseConnection` the peer took no bytes for so long that we stopped waiting. */
export class LingerTimeout extends Error {
  static {
    this.prototype.name = 'LingerTimeout'
  }
  readonly code: string = 'ERR_LINGER_TIMEOUT'

  constructor(peer: Subject, ms: number, unsent: number) {
    super(`${peer}: took nothing for ${ms} ms after loseConnection; ${unsent} bytes were not delivered`)
  }
}

/** Cause only: the peer reads too slowly for what is written to it, and the queue reached its limit. */
export class SendQueueOverflow extends Error {
  static {
    this.prototype.name = 'SendQueueOverflow'
  }
  readonly code: string = 'ERR_SEND_QUEUE_OVERFLOW'
  /** How many bytes would have been waiting. */
  readonly offered: number
  /** How many may wait. */
  readonly limit: number

  /**
   * @param slower what the program can do to write no faster than it leaves
   * @param option what the limit is called
   */
  constructor(
    peer: Subject,
    offered: number,
    limit: number,
    slower = 'register a producer, so that a slow peer pauses it',
    option = 'maxSendQueue',
  ) {
    super(
      `${peer}: ${offered} bytes would be waiting to be sent, the limit is ${limit} (${slower}, or raise ${option})`,
    )
    this.offered = offered
    this.limit = limit
  }
}

/** Cause only: the peer closed in the middle of a frame, so the last message is not complete. */
export class IncompleteFrame extends Error {
  static {
    this.prototype.name = 'IncompleteFrame'
  }
  readonly code: string = 'ERR_INCOMPLETE_FRAME'
  /** Bytes of the frame that had arrived. */
  readonly have: number
  /** Bytes the whole frame needs, where its header had said so. */
  readonly need: number | undefined

  constructor(have: number, need?: number) {
    super(
      need === undefined
        ? `the peer closed in the middle of a frame: ${have} bytes had arrived`
        : `the peer closed in the middle of a frame: ${have} of ${need} bytes had arrived`,
    )
    this.have = have
    this.need = need
  }
}

/* ------------------------------------------------------------------ somebody broke the rules of the wire */

/** Somebody broke the rules of a wire format. */
export abstract class ProtocolError extends Error {
  readonly code: string = 'ERR_PROTOCOL'
}

/** The peer broke them. Becomes the cause of {@link ConnectionAborted}. */
export class RemoteProtocolError extends ProtocolError {
  static {
    this.prototype.name = 'RemoteProtocolError'
  }
  override readonly code: string = 'ERR_REMOTE_PROTOCOL'
}

/** The peer's frame is larger than we accept. */
export class FrameTooLong extends RemoteProtocolError {
  static {
    this.prototype.name = 'FrameTooLong'
  }
  override readonly code: string = 'ERR_FRAME_TOO_LONG'
  /** The size that was offered, in bytes; for a frame without a length in front, the least that it must have. */
  readonly offered: number
  /** The largest size accepted, in bytes. */
  readonly limit: number

  constructor(offered: number, limit: number, what = 'frame') {
    super(`a ${what} of ${offered} bytes or more was offered, the limit is ${limit} (raise maxLength to accept it)`)
    this.offered = offered
    this.limit = limit
  }
}

/** The peer's line is longer than we accept. */
export class LineTooLong extends FrameTooLong {
  static {
    this.prototype.name = 'LineTooLong'
  }
  override readonly code: string = 'ERR_LINE_TOO_LONG'

  constructor(offered: number, limit: number) {
    super(offered, limit, 'line')
  }
}

/** What the peer sent is no netstring: not `length:bytes,`, with the length in plain digits. */
export class BadNetstring extends RemoteProtocolError {
  static {
    this.prototype.name = 'BadNetstring'
  }
  override readonly code: string = 'ERR_BAD_NETSTRING'
}

/** The peer wrote a length with more bytes than it takes (LEB128, padded with zeros). */
export class BadVarint extends RemoteProtocolError {
  static {
    this.prototype.name = 'BadVarint'
  }
  override readonly code: string = 'ERR_BAD_VARINT'
}

/** The peer's text is not UTF-8. */
export class InvalidUTF8 extends RemoteProtocolError {
  static {
    this.prototype.name = 'InvalidUTF8'
  }
  override readonly code: string = 'ERR_INVALID_UTF8'
}

/** We were about to break them. Thrown by `send…`; nothing is sent. */
export class LocalProtocolError extends ProtocolError {
  static {
    this.prototype.name = 'LocalProtocolError'
  }
  override readonly code: string = 'ERR_LOCAL_PROTOCOL'
}

/** The string is longer than the length in front of it can say. */
export class StringTooLong extends LocalProtocolError {
  static {
    this.prototype.name = 'StringTooLong'
  }
  override readonly code: string = 'ERR_STRING_TOO_LONG'
  /** The length of the string, in bytes. */
  readonly offered: number
  /** The largest that can be sent, in bytes. */
  readonly limit: number

  constructor(offered: number, limit: number) {
    super(`a string of ${offered} bytes cannot be sent, the prefix can say ${limit} at most (use a wider one)`)
    this.offered = offered
    this.limit = limit
  }
}

/** The datagram is longer than UDP, or `maxPacketSize`, allows. Thrown by `write`; as a report, one that arrived. */
export class MessageLengthError extends LocalProtocolError {
  static {
    this.prototype.name = 'MessageLengthError'
  }
  override readonly code: string = 'ERR_MESSAGE_LENGTH'
  /** The length of the datagram, in bytes. */
  readonly offered: number
  /** The longest that is allowed, in bytes. */
  readonly limit: number

  constructor(peer: Subject, offered: number, limit: number) {
    super(`${peer}: a datagram of ${offered} bytes, the limit is ${limit} (split it, or see maxPacketSize)`)
    this.offered = offered
    this.limit = limit
  }
}

/* ------------------------------------------------------------------ a datagram was lost, and somebody knows */

/** A datagram could not be sent, or did not arrive; most that are lost nobody knows of. Comes to `datagramLost`. */
export class DatagramLost extends Error {
  static {
    this.prototype.name = 'DatagramLost'
  }
  readonly code: string = 'ERR_DATAGRAM_LOST'
  /** Whom it was for. */
  readonly address: Subject

  constructor(address: Subject, why: string, options?: ErrorOptions) {
    super(`${address}: a datagram was lost: ${why}`, options)
    this.address = address
  }
}

/* ------------------------------------------------------------------ the program is wrong */

/** A datagram port cannot send there: a name, an address of the other kind, or none. Thrown; nothing is sent. */
export class InvalidAddressError extends Error {
  static {
    this.prototype.name = 'InvalidAddressError'
  }
  readonly code: string = 'ERR_INVALID_ADDRESS'
  readonly address: Subject

  constructor(address: Subject, why: string) {
    super(`${address}: ${why}`)
    this.address = address
  }
}

/** `cancel`, `reset` or `delay` of a timer that has already been called. Thrown. */
export class AlreadyCalled extends Error {
  static {
    this.prototype.name = 'AlreadyCalled'
  }
  readonly code: string = 'ERR_ALREADY_CALLED'

  constructor() {
    super('this delayed call has already been called (ask active() first)')
  }
}

/** `cancel`, `reset` or `delay` of a timer that was already cancelled. Thrown. */
export class AlreadyCancelled extends Error {
  static {
    this.prototype.name = 'AlreadyCancelled'
  }
  readonly code: string = 'ERR_ALREADY_CANCELLED'

  constructor() {
    super('this delayed call was already cancelled (ask active() first)')
  }
}

/**
 * Makes an error that is no surprise, without the cost of a stack trace (5 µs each): thousands of connections end
 * cleanly every second, and where the end was noticed tells nobody anything.
 */
export function withoutStack<E extends Error>(make: () => E): E {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    return make()
  } finally {
    Error.stackTraceLimit = limit
  }
}

/** The operating system's code for what went wrong, `ECONNREFUSED` for example. */
export function codeOf(error: unknown): string | undefined {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined
  return typeof code === 'string' ? code : undefined
}
