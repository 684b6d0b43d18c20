/**
 * What all formats with a length in front of each string have in common. No ancestor.
 */
import type { Data } from '../core/bytes.ts'
import type { Decoder } from './decoder.ts'

/** What is accepted as a string. */
export interface StringRules {
  /** How long a string may be, in bytes, without what is around it. */
  readonly maxLength: number
}

/** Takes strings out of what surrounds them, and surrounds them for sending. */
export interface StringDecoder extends Decoder<Uint8Array> {
  /**
   * The other direction: the pieces that are `string` on the wire, in order.
   *
   * @throws StringTooLong if the length in front cannot say how long it is
   */
  encode(string: Uint8Array): readonly Data[]
}
