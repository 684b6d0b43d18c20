/**
 * What a receiver of lines does, whether it takes a line for bytes or for text: delimiter, limit, raw mode, sending.
 *
 * Ancestor: `twisted.protocols.basic.LineReceiver`.
 */
import { type Data, escaped, toBytes } from '../core/bytes.ts'
import { LineTooLong, LocalProtocolError, type RemoteProtocolError } from '../core/errors.ts'
import type { Hook } from '../core/protocol.ts'
import { trace } from '../trace/hook.ts'
import type { Decoder } from './decoder.ts'
import { FrameReceiver } from './frame-receiver.ts'
import { lengthAsRead } from './line-decoder.ts'

/** A decoder that says what it takes for the end of a line now. */
export interface DelimitedDecoder<L> extends Decoder<L> {
  readonly delimiter: Uint8Array
}

/** Subclass LineReceiver or TextLineReceiver; this is what they share. `L` is what a line comes as. */
export abstract class LineFraming<L> extends FrameReceiver<L> {
  // As Python's class attributes are: in an object of its own only where somebody sets them.
  static {
    this.prototype.delimiter = '\r\n'
    this.prototype.maxLength = 16_384
  }

  /** What ends a line, in both directions: CRLF; text stands for its UTF-8. A change counts from the next line on. */
  declare delimiter: Data
  /** How long a line may be, in bytes, without its delimiter: 16 KiB. A change counts from the next line on. */
  declare maxLength: number

  protected abstract override readonly decoder: DelimitedDecoder<L>

  /** A line arrived, without its delimiter, possibly empty. */
  abstract lineReceived(line: L): Hook

  /**
   * The peer's line is longer than {@link maxLength}. Called once; whatever it does, no line comes afterwards. By
   * default the connection is closed after what was written has been sent, and ends as ConnectionAborted with the
   * error as its cause.
   */
  lineLengthExceeded(error: LineTooLong): Hook {
    return super.frameRefused(error)
  }

  /**
   * Sends a line and its delimiter.
   *
   * @throws LocalProtocolError if the peer would see more than one line, because the delimiter is in it; nothing is
   *   sent then
   */
  sendLine(line: Data): void {
    const bytes = toBytes(line)
    const { delimiter } = this.decoder
    const length = lengthAsRead(bytes, delimiter)
    if (length !== bytes.length) {
      throw new LocalProtocolError(
        `this line has its delimiter ${escaped(delimiter)} in it, at byte ${length} of ${bytes.length}` +
          ' (send its parts as lines, or choose another delimiter)',
      )
    }
    trace?.at('frame.out', this.transport, { n: bytes.length + delimiter.length, type: 'line', text: bytes })
    this.transport.write(bytes)
    this.transport.write(delimiter)
  }

  /**
   * Back to lines.
   *
   * @param extra bytes that were received raw and belong to the lines: they come first. Inside of a hook, the lines in
   *   them come after it has returned; outside, now
   */
  setLineMode(extra?: Uint8Array): void {
    this.setFrameMode(extra)
  }

  /** Drops what has arrived and was not delivered yet. @returns what it dropped */
  clearLineBuffer(): Uint8Array {
    return this.clearBuffer()
  }

  protected override frameReceived(line: L): Hook {
    return this.lineReceived(line)
  }

  protected override frameRefused(error: RemoteProtocolError): Hook {
    return error instanceof LineTooLong ? this.lineLengthExceeded(error) : super.frameRefused(error)
  }
}
