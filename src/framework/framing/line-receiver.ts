/**
 * A protocol whose messages are lines; it can switch to raw bytes and back, as HTTP and SMTP do.
 *
 * Grammar of calls: `makeConnection connectionMade (lineReceived | rawDataReceived)* lineLengthExceeded?
 * connectionLost`. Ancestor: `twisted.protocols.basic.LineReceiver`.
 */
import { type Data, escaped, toBytes } from '../core/bytes.ts'
import { LineTooLong, LocalProtocolError, type RemoteProtocolError } from '../core/errors.ts'
import type { Hook } from '../core/protocol.ts'
import { trace } from '../trace/hook.ts'
import type { Decoder } from './decoder.ts'
import { FrameReceiver } from './frame-receiver.ts'
import { LineDecoder, lengthAsRead } from './line-decoder.ts'

/**
 * @example
 * class Shout extends LineReceiver {
 *   override delimiter = '\n'
 *   override lineReceived(line: Uint8Array) {
 *     this.sendLine(toText(line).toUpperCase())
 *   }
 * }
 */
export abstract class LineReceiver extends FrameReceiver<Uint8Array> {
  /** What ends a line, in both directions; text stands for its UTF-8. A change counts from the next line on. */
  delimiter: Data = '\r\n'
  /** How long a line may be, in bytes, without its delimiter. A change counts from the next line on. */
  maxLength = 16_384

  readonly #lines = new LineDecoder(this)
  protected override readonly decoder: Decoder<Uint8Array> = this.#lines

  /**
   * A line arrived.
   *
   * @param line without its delimiter, possibly empty; yours to keep. It is a view of the chunk that it came in: who
   *   keeps few of many lines for long keeps a `copy(line)`, because a chunk has up to 64 KiB
   */
  abstract lineReceived(line: Uint8Array): Hook

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
    const { delimiter } = this.#lines
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

  protected override frameReceived(line: Uint8Array): Hook {
    return this.lineReceived(line)
  }

  protected override frameRefused(error: RemoteProtocolError): Hook {
    return error instanceof LineTooLong ? this.lineLengthExceeded(error) : super.frameRefused(error)
  }
}
