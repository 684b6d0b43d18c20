/**
 * What can go wrong with a call, with a box, and with what somebody wanted to put in one.
 *
 * Ancestors: the exceptions of `twisted.protocols.amp`. A call's error comes to its errback; what the peer did to the
 * format becomes the cause of ConnectionAborted; what we were about to do wrong is never sent.
 */
import { FrameTooLong, LocalProtocolError, RemoteProtocolError } from '../../core/errors.ts'

/* ------------------------------------------------------------------ the peer answered with an error */

/** What a peer answers if its responder failed with something that the command does not declare. */
export const unknownErrorCode = 'UNKNOWN'
/** What a peer answers if it has no responder for the command. */
export const unhandledErrorCode = 'UNHANDLED'

/** The peer answered the call with an error that is not one of the command's declared ones; those come as themselves. */
export abstract class RemoteAmpError extends Error {
  static {
    this.prototype.name = 'RemoteAmpError'
  }
  readonly code: string = 'ERR_AMP_REMOTE'
  /** The error's code on the wire, as Latin-1. The peer's: escape it before it reaches a log. */
  readonly errorCode: string
  /** What the peer says about it. Escape it, too; in `message` it is. */
  readonly description: string

  constructor(errorCode: string, description: string) {
    super(`the peer answered with the error ${printable(errorCode)}: ${printable(description)}`)
    this.errorCode = errorCode
    this.description = description
  }
}

/** The peer's responder failed with something else than a declared error; what, it keeps to itself. */
export class UnknownRemoteError extends RemoteAmpError {
  static {
    this.prototype.name = 'UnknownRemoteError'
  }
  override readonly code: string = 'ERR_AMP_UNKNOWN_REMOTE'
}

/** The peer has no responder for this command. */
export class UnhandledCommand extends RemoteAmpError {
  static {
    this.prototype.name = 'UnhandledCommand'
  }
  override readonly code: string = 'ERR_AMP_UNHANDLED'
}

/* ------------------------------------------------------------------ the peer broke the format */

/** What the peer sent is no AMP: a box that cannot be one, a value that is not of its type, an answer to nothing. */
export class AmpProtocolError extends RemoteProtocolError {
  static {
    this.prototype.name = 'AmpProtocolError'
  }
  override readonly code: string = 'ERR_AMP_PROTOCOL'
}

/** The peer's box has more keys than we accept. */
export class TooManyKeys extends AmpProtocolError {
  static {
    this.prototype.name = 'TooManyKeys'
  }
  override readonly code: string = 'ERR_AMP_TOO_MANY_KEYS'
  /** How many keys the box has at least. */
  readonly offered: number
  /** How many are accepted. */
  readonly limit: number

  constructor(offered: number, limit: number) {
    super(`a box of ${offered} keys or more was offered, the limit is ${limit} (raise maxKeys to accept it)`)
    this.offered = offered
    this.limit = limit
  }
}

/** The peer's box has more bytes than we accept, everything counted: keys, values, the lengths in front of them. */
export class BoxTooLarge extends FrameTooLong {
  static {
    this.prototype.name = 'BoxTooLarge'
  }
  override readonly code: string = 'ERR_AMP_BOX_TOO_LARGE'

  constructor(offered: number, limit: number) {
    super(offered, limit, 'box')
  }
}

/* ------------------------------------------------------------------ we were about to */

/** A value has more bytes than the two of its length can say. Nothing is sent. */
export class TooLong extends LocalProtocolError {
  static {
    this.prototype.name = 'TooLong'
  }
  override readonly code: string = 'ERR_AMP_TOO_LONG'
  /** The value's size, in bytes. */
  readonly offered: number
  /** The largest that can be sent, in bytes. */
  readonly limit: number

  constructor(what: string, offered: number, limit: number) {
    super(`${what} has ${offered} bytes, and AMP can say ${limit} at most (send it in parts)`)
    this.offered = offered
    this.limit = limit
  }
}

/** A value is missing, or is not one of the declared type. Nothing is sent. */
export class InvalidSignature extends LocalProtocolError {
  static {
    this.prototype.name = 'InvalidSignature'
  }
  override readonly code: string = 'ERR_AMP_INVALID_SIGNATURE'
}

/** What a responder returned cannot be sent; `cause` says why. Reported; the peer gets the error UNKNOWN. */
export class BadLocalReturn extends Error {
  static {
    this.prototype.name = 'BadLocalReturn'
  }
  readonly code: string = 'ERR_AMP_BAD_LOCAL_RETURN'

  constructor(command: string, cause: Error) {
    super(`the responder of ${command} returned what cannot be sent: ${cause.message}`, { cause })
  }
}

/** A stranger's text, harmless to show: what could move a cursor or turn the direction of writing becomes visible. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, (control) => {
    const code = control.codePointAt(0) ?? 0
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
  })
}
