/**
 * A protocol whose messages are lines of text, in UTF-8; otherwise a LineReceiver.
 *
 * Grammar of calls: `makeConnection connectionMade (lineReceived | rawDataReceived)* lineLengthExceeded?
 * connectionLost`. No ancestor: in Twisted a line is bytes.
 */
import { type DelimitedDecoder, LineFraming } from './line-framing.ts'
import { TextLineDecoder } from './text-line-decoder.ts'

/**
 * The limit counts bytes, as ever. A line that is not UTF-8 is refused: the connection ends with InvalidUTF8 as the
 * cause, because to go on with other text than was sent would be worse.
 *
 * @example
 * class Shout extends TextLineReceiver {
 *   override lineReceived(line: string) {
 *     this.sendLine(line.toUpperCase())
 *   }
 * }
 */
export abstract class TextLineReceiver extends LineFraming<string> {
  protected override readonly decoder: DelimitedDecoder<string> = new TextLineDecoder(this)
}
