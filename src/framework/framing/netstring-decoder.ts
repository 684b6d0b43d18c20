/**
 * Netstrings: a length in digits, a colon, so many bytes, a comma. `5:hello,`
 *
 * Ancestor: the parser in `twisted.protocols.basic.NetstringReceiver`. Source: D. J. Bernstein, "Netstrings".
 */
import { type Data, escaped, toBytes } from '../core/bytes.ts'
import { BadNetstring, FrameTooLong } from '../core/errors.ts'
import type { FrameBuffer } from './frame-buffer.ts'
import type { StringDecoder, StringRules } from './string-decoder.ts'

const comma = toBytes(',')
const [zero, colon] = [0x30, 0x3a]

export class NetstringDecoder implements StringDecoder {
  readonly type = 'netstring'
  readonly #rules: StringRules
  /** What the last look at a length has found: where the string begins, and how long it is. */
  #begin = 0
  #length = 0

  /** @param rules are read anew for each string, so they may change between two */
  constructor(rules: StringRules) {
    this.#rules = rules
  }

  /**
   * @throws BadNetstring at the first byte that no netstring has in that place; FrameTooLong at the digit with which
   *   the length exceeds the limit: the size that it names is the least that the string must have
   */
  decode(input: FrameBuffer): Uint8Array | undefined {
    if (!this.#readLength(input)) return undefined
    const last = input.at(this.#begin + this.#length)
    if (last === undefined) return undefined
    if (last !== comma[0]) throw unexpected(last, `"," after the ${this.#length} bytes of the string`)
    input.skip(this.#begin)
    return input.take(this.#length, 1)
  }

  needed(input: FrameBuffer): number | undefined {
    return this.#readLength(input) ? this.#begin + this.#length + 1 : undefined
  }

  encode(string: Uint8Array): readonly Data[] {
    return [`${string.length}:`, string, comma]
  }

  /** @returns whether the length is there, up to its colon */
  #readLength(input: FrameBuffer): boolean {
    const limit = Math.min(this.#rules.maxLength, Number.MAX_SAFE_INTEGER)
    let length = 0
    for (let index = 0; ; index++) {
      const byte = input.at(index)
      if (byte === undefined) return false
      if (byte === colon && index > 0) {
        this.#begin = index + 1
        this.#length = length
        return true
      }
      const digit = byte - zero
      if (digit < 0 || digit > 9) throw unexpected(byte, index === 0 ? 'a digit' : 'a digit or ":"')
      if (index > 0 && length === 0) throw unexpected(byte, '":" (a length has no leading zeros)')
      length = length * 10 + digit
      if (length > limit) throw new FrameTooLong(length, limit, 'netstring')
    }
  }
}

function unexpected(byte: number, expected: string): BadNetstring {
  return new BadNetstring(`a netstring must have ${expected}, where the peer sent ${escaped(new Uint8Array([byte]))}`)
}
