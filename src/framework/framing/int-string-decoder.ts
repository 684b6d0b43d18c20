/**
 * Strings with their length in front, as a big-endian unsigned number of one, two or four bytes.
 *
 * Ancestor: `twisted.protocols.basic.IntNStringReceiver`.
 */
import type { Data } from '../core/bytes.ts'
import { FrameTooLong, StringTooLong } from '../core/errors.ts'
import type { FrameBuffer } from './frame-buffer.ts'
import type { StringDecoder, StringRules } from './string-decoder.ts'

export class IntStringDecoder implements StringDecoder {
  readonly type: string
  readonly #width: 1 | 2 | 4
  readonly #rules: StringRules

  /**
   * @param width how many bytes the length has
   * @param rules are read anew for each string, so they may change between two
   */
  constructor(width: 1 | 2 | 4, rules: StringRules) {
    this.type = `int${width * 8} string`
    this.#width = width
    this.#rules = rules
  }

  /** @throws FrameTooLong as soon as the length is there, whatever there is of the string */
  decode(input: FrameBuffer): Uint8Array | undefined {
    const width = this.#width
    const length = this.#readLength(input)
    if (length === undefined) return undefined
    if (length > this.#rules.maxLength) throw new FrameTooLong(length, this.#rules.maxLength, 'string')
    if (input.length < width + length) return undefined
    input.skip(width)
    return input.take(length)
  }

  needed(input: FrameBuffer): number | undefined {
    const length = this.#readLength(input)
    return length === undefined ? undefined : this.#width + length
  }

  encode(string: Uint8Array): readonly Data[] {
    const width = this.#width
    const { length } = string
    const limit = 256 ** width - 1
    if (length > limit) throw new StringTooLong(length, limit)
    const prefix = new Uint8Array(width)
    // What is stored is the lowest eight bits.
    for (let index = 0; index < width; index++) prefix[index] = length >>> (8 * (width - 1 - index))
    return [prefix, string]
  }

  #readLength(input: FrameBuffer): number | undefined {
    const width = this.#width
    if (input.length < width) return undefined
    let length = 0
    // No shifts: they would make four bytes a signed number.
    for (let index = 0; index < width; index++) length = length * 256 + input.at(index)!
    return length
  }
}
