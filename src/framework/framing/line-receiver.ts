/**
 * A protocol whose messages are lines; it can switch to raw bytes and back, as HTTP and SMTP do.
 *
 * Grammar of calls: `makeConnection connectionMade (lineReceived | rawDataReceived)* lineLengthExceeded?
 * connectionLost`. Ancestor: `twisted.protocols.basic.LineReceiver`.
 */
import type { Hook } from '../core/protocol.ts'
import { LineDecoder } from './line-decoder.ts'
import { type DelimitedDecoder, LineFraming } from './line-framing.ts'

/**
 * @example
 * class Shout extends LineReceiver {
 *   override delimiter = '\n'
 *   override lineReceived(line: Uint8Array) {
 *     this.sendLine(toText(line).toUpperCase())
 *   }
 * }
 */
export abstract class LineReceiver extends LineFraming<Uint8Array> {
  protected override readonly decoder: DelimitedDecoder<Uint8Array> = new LineDecoder(this)

  /**
   * A line arrived.
   *
   * @param line without its delimiter, possibly empty; yours to keep. It is a view of the chunk that it came in: who
   *   keeps few of many lines for long keeps a `copy(line)`, because a chunk has up to 64 KiB
   */
  abstract override lineReceived(line: Uint8Array): Hook
}

/** The name that Twisted has for a receiver of lines without raw mode; here one class does both. */
export { LineReceiver as LineOnlyReceiver }
