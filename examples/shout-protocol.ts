/**
 * The smallest protocol worth having: it answers every line with the same line in capitals.
 *
 * Look at what is not here: no socket, no buffer, no question where one line ends and the next begins. Try: send back
 * the line's length as well.
 */
import { LineReceiver, toText } from 'couplet'

export class Shout extends LineReceiver {
  override lineReceived(line: Uint8Array) {
    this.sendLine(toText(line).toUpperCase())
  }
}
