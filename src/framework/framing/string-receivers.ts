/**
 * Receivers of strings, one for each way to write a length: in digits, in one, two or four bytes, in as many as it
 * takes.
 *
 * Ancestors: `NetstringReceiver`, `Int8StringReceiver`, `Int16StringReceiver` and `Int32StringReceiver` of
 * `twisted.protocols.basic`; the one with varints has none.
 */
import { IntStringDecoder } from './int-string-decoder.ts'
import { NetstringDecoder } from './netstring-decoder.ts'
import type { StringDecoder } from './string-decoder.ts'
import { StringReceiver } from './string-receiver.ts'
import { VarintStringDecoder } from './varint-string-decoder.ts'

/**
 * Netstrings: `5:hello,`.
 *
 * @example
 * class Shout extends NetstringReceiver {
 *   override stringReceived(string: Uint8Array) {
 *     this.sendString(toText(string).toUpperCase())
 *   }
 * }
 */
export abstract class NetstringReceiver extends StringReceiver {
  protected override readonly decoder: StringDecoder = new NetstringDecoder(this)
}

/** Strings of at most 255 bytes, after one byte that says how many. */
export abstract class Int8StringReceiver extends StringReceiver {
  protected override readonly decoder: StringDecoder = new IntStringDecoder(1, this)
}

/** Strings of at most 65,535 bytes, after two bytes, big-endian, that say how many. */
export abstract class Int16StringReceiver extends StringReceiver {
  protected override readonly decoder: StringDecoder = new IntStringDecoder(2, this)
}

/** Strings after four bytes, big-endian and unsigned, that say how long they are. */
export abstract class Int32StringReceiver extends StringReceiver {
  protected override readonly decoder: StringDecoder = new IntStringDecoder(4, this)
}

/** Strings after an unsigned varint (LEB128) that says how long they are. */
export abstract class VarintStringReceiver extends StringReceiver {
  protected override readonly decoder: StringDecoder = new VarintStringDecoder(this)
}
