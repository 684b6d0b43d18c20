/**
 * Strings with their length in front as an unsigned varint (LEB128): seven bits a byte, the lowest first, and the
 * highest bit says that another byte follows. Protocol Buffers streams and libp2p do it so.
 *
 * No ancestor in Twisted.
 */
import type { Data } from '../core/bytes.ts'
import { BadVarint, FrameTooLong } from '../core/errors.ts'
import type { FrameBuffer } from './frame-buffer.ts'
import type { StringDecoder, StringRules } from './string-decoder.ts'

export class VarintStringDecoder implements StringDecoder {
  readonly type = 'varint string'
  readonly #rules: StringRules
  /** What the last look at a length has found: where the string begins, and how long it is. */
  #begin = 0
  #length = 0

  /** @param rules are read anew for each string, so they may change between two */
  constructor(rules: StringRules) {
    this.#rules = rules
  }

  /**
   * @throws BadVarint if the length ends in zeros, which say nothing; FrameTooLong as soon as the length must exceed
   *   the limit, at its eighth byte at the latest: the size that it names is the least that the string must have
   */
  decode(input: FrameBuffer): Uint8Array | undefined {
    if (!this.#readLength(input) || input.length < this.#begin + this.#length) return undefined
    input.skip(this.#begin)
    return input.take(this.#length)
  }

  needed(input: FrameBuffer): number | undefined {
    return this.#readLength(input) ? this.#begin + this.#length : undefined
  }

  encode(string: Uint8Array): readonly Data[] {
    const prefix: number[] = []
    let rest = string.length
    for (; rest > 0x7f; rest = Math.floor(rest / 128)) prefix.push((rest % 128) + 128)
    return [new Uint8Array([...prefix, rest]), string]
  }

  /** @returns whether the length is there, up to its last byte */
  #readLength(input: FrameBuffer): boolean {
    const limit = Math.min(this.#rules.maxLength, Number.MAX_SAFE_INTEGER)
    let length = 0
    let unit = 1
    for (let index = 0; ; index++, unit *= 128) {
      const byte = input.at(index)
      if (byte === undefined) return false
      if (byte === 0 && index > 0) {
        throw new BadVarint(`a length must be as short as it can be, and the peer's ends in a zero, at byte ${index}`)
      }
      length += (byte & 0x7f) * unit
      const more = byte > 0x7f
      // A byte that follows is not zero, and counts so much at least.
      const least = more ? length + unit * 128 : length
      if (least > limit) throw new FrameTooLong(least, limit, 'string')
      if (!more) {
        this.#begin = index + 1
        this.#length = length
        return true
      }
    }
  }
}
