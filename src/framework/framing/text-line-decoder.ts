/**
 * Lines of text: lines, each of them UTF-8.
 *
 * A line is decoded when it is whole, so it does not matter where chunks were cut, in the middle of a character or not.
 * No ancestor: Twisted leaves decoding to you.
 */
import { escaped } from '../core/bytes.ts'
import { InvalidUTF8 } from '../core/errors.ts'
import type { FrameBuffer } from './frame-buffer.ts'
import { LineDecoder, type LineRules } from './line-decoder.ts'
import type { DelimitedDecoder } from './line-framing.ts'

/** A byte order mark stays: it is a character like others. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export class TextLineDecoder implements DelimitedDecoder<string> {
  readonly type = 'line'
  readonly #lines: LineDecoder

  /** @param rules are read anew for each line, so they may change between two */
  constructor(rules: LineRules) {
    this.#lines = new LineDecoder(rules)
  }

  /** The delimiter as bytes. */
  get delimiter(): Uint8Array {
    return this.#lines.delimiter
  }

  /** @throws InvalidUTF8 for a line that is not UTF-8; LineTooLong as LineDecoder does */
  decode(input: FrameBuffer): string | undefined {
    const line = this.#lines.decode(input)
    if (line === undefined) return undefined
    try {
      return utf8.decode(line)
    } catch (error) {
      throw new InvalidUTF8(`a line of text must be UTF-8, and the peer sent ${escaped(line)}`, { cause: error })
    }
  }
}
