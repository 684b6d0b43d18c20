/**
 * Finds the next box in the bytes that have arrived, and refuses what cannot become one.
 *
 * Ancestor: the states of `BinaryBoxProtocol` of `twisted.protocols.amp`, which holds a box without end for ever. Here
 * everything in a box counts, its lengths too, and is refused before it is waited for.
 */
import type { Decoder } from '../../framing/decoder.ts'
import type { FrameBuffer } from '../../framing/frame-buffer.ts'
import { Box, longestKey } from './box.ts'
import { AmpProtocolError, BoxTooLarge, TooManyKeys } from './errors.ts'

/** What is accepted as a box. */
export interface BoxRules {
  /** Bytes, everything counted. */
  readonly maxLength: number
  readonly maxKeys: number
}

/** Finds boxes in the bytes that have arrived. */
export class BoxDecoder implements Decoder<Box> {
  readonly type = 'amp box'
  readonly #rules: BoxRules
  /** How many keys there are before `scanned` in the box that {@link #input} begins with. */
  #keys = 0
  #input: FrameBuffer | undefined

  /** @param rules are read anew for each box, so they may change between two */
  constructor(rules: BoxRules) {
    this.#rules = rules
  }

  /** @throws BoxTooLarge, TooManyKeys, or AmpProtocolError for a key that is too long or is there twice */
  decode(input: FrameBuffer): Box | undefined {
    const { maxLength, maxKeys } = this.#rules
    // Whole pairs are looked at once, whatever the chunks.
    let at = this.#input === input ? input.scanned : 0
    let keys = at === 0 ? 0 : this.#keys
    for (;;) {
      const high = input.at(at)
      if (high === undefined) break
      if (high > 0) throw keyTooLong(high)
      const keyLength = input.at(at + 1)
      if (keyLength === undefined) break
      if (keyLength === 0) {
        if (at + 2 > maxLength) throw new BoxTooLarge(at + 2, maxLength)
        return new Box(input.take(at + 2))
      }
      if (keys === maxKeys) throw new TooManyKeys(keys + 1, maxKeys)
      const value = at + 2 + keyLength
      // Behind a key there is a value's length at least, and the end of the box.
      if (value + 4 > maxLength) throw new BoxTooLarge(value + 4, maxLength)
      const valueLow = input.at(value + 1)
      if (valueLow === undefined) break
      const next = value + 2 + (input.at(value)! << 8) + valueLow
      if (next + 2 > maxLength) throw new BoxTooLarge(next + 2, maxLength)
      if (next > input.length) break
      at = next
      keys++
    }
    this.#input = input
    this.#keys = keys
    input.scanned = at
    return undefined
  }
}

/** Said when the first byte of its length is there, so that it does not depend on chunks how long it is said to be. */
function keyTooLong(high: number): AmpProtocolError {
  const least = high << 8
  return new AmpProtocolError(`a key of ${least} bytes or more was offered, the limit is ${longestKey} (is this AMP?)`)
}
