/**
 * A protocol whose messages are strings of bytes, each with its length around or in front of it.
 *
 * Grammar of calls: `makeConnection connectionMade stringReceived* lengthLimitExceeded? connectionLost`. Ancestor: what
 * `NetstringReceiver` and `IntNStringReceiver` of `twisted.protocols.basic` have in common.
 */
import { type Data, toBytes } from '../core/bytes.ts'
import { FrameTooLong, type RemoteProtocolError } from '../core/errors.ts'
import type { Hook } from '../core/protocol.ts'
import { trace } from '../trace/hook.ts'
import { FrameReceiver } from './frame-receiver.ts'
import type { StringDecoder } from './string-decoder.ts'

export abstract class StringReceiver extends FrameReceiver<Uint8Array> {
  /** How long a string of the peer may be, in bytes: 1 MiB. A change counts from the next string on. */
  maxLength = 1_048_576

  protected abstract override readonly decoder: StringDecoder

  /**
   * A string arrived.
   *
   * @param string without what is around it, possibly empty; yours to keep. It is a view of the chunk that it came in:
   *   who keeps few of many strings for long keeps a `copy(string)`, because a chunk has up to 64 KiB
   */
  abstract stringReceived(string: Uint8Array): Hook

  /**
   * The peer's string is longer than {@link maxLength}; nothing of it is waited for. Called once; whatever it does, no
   * string comes afterwards. By default the connection is closed after what was written has been sent, and ends as
   * ConnectionAborted with the error as its cause.
   */
  lengthLimitExceeded(error: FrameTooLong): Hook {
    return super.frameRefused(error)
  }

  /**
   * Sends a string; {@link maxLength} is for the other direction, and does not count here.
   *
   * @throws StringTooLong if its length cannot be said in this format; nothing is sent then
   */
  sendString(string: Data): void {
    const pieces = this.decoder.encode(toBytes(string))
    if (trace !== undefined) {
      const n = pieces.reduce((sum, piece) => sum + piece.length, 0)
      trace.at('frame.out', this.transport, { n, type: this.decoder.type ?? 'string', text: string })
    }
    this.transport.writeSequence(pieces)
  }

  protected override frameReceived(string: Uint8Array): Hook {
    return this.stringReceived(string)
  }

  protected override frameRefused(error: RemoteProtocolError): Hook {
    return error instanceof FrameTooLong ? this.lengthLimitExceeded(error) : super.frameRefused(error)
  }
}
