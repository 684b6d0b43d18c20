/**
 * Lines: bytes up to a delimiter.
 *
 * Ancestor: the search in `twisted.protocols.basic.LineReceiver.dataReceived`, whose rules it keeps.
 */
import { type Data, indexOfByte, join, toBytes } from '../core/bytes.ts'
import { LineTooLong } from '../core/errors.ts'
import type { Decoder } from './decoder.ts'
import { FrameBuffer } from './frame-buffer.ts'

/** What a line is. */
export interface LineRules {
  /** What ends a line: one byte or more; text stands for its UTF-8. */
  readonly delimiter: Data
  /** How long a line may be, in bytes, without its delimiter. */
  readonly maxLength: number
}

/** What ends a line, as it was given and as it is looked for. */
interface Delimiter {
  readonly given: Data
  readonly bytes: Uint8Array
  /** Its last byte, which is what is looked for. */
  readonly last: number
}

/** What most lines end with, once for all receivers. */
const crlf = read('\r\n')

/** Finds lines: what is inside of a LineReceiver. */
export class LineDecoder implements Decoder<Uint8Array> {
  readonly #rules: LineRules
  #delimiter = crlf

  /** @param rules are read anew for each line, so they may change between two */
  constructor(rules: LineRules) {
    this.#rules = rules
  }

  get type(): string {
    return 'line'
  }

  /** The delimiter as bytes. @throws RangeError if it has none */
  get delimiter(): Uint8Array {
    if (this.#rules.delimiter !== this.#delimiter.given) this.#delimiter = read(this.#rules.delimiter)
    return this.#delimiter.bytes
  }

  /**
   * @returns the line, without its delimiter
   * @throws LineTooLong as soon as the line cannot be short enough any more. The size that it names is the least that
   *   the line must have, so that it does not depend on the chunking
   */
  decode(input: FrameBuffer): Uint8Array | undefined {
    const rules = this.#rules
    if (rules.delimiter !== this.#delimiter.given) {
      this.#delimiter = read(rules.delimiter)
      // What was looked through in vain was looked through for another delimiter.
      input.scanned = 0
    }
    const { bytes: delimiter, last } = this.#delimiter
    const before = delimiter.length - 1
    const { maxLength } = rules
    let end = input.indexOf(last, input.scanned)
    // The last byte alone does not make a delimiter: the ones before it must fit as well.
    while (end >= 0 && !endsAt(input, end, delimiter)) end = input.indexOf(last, end + 1)
    if (end < 0) {
      input.scanned = input.length
      if (input.length <= maxLength + before) return undefined
    } else if (end - before <= maxLength) {
      return input.take(end - before, delimiter.length)
    }
    throw new LineTooLong(maxLength + 1, maxLength)
  }
}

function read(given: Data): Delimiter {
  const bytes = toBytes(given)
  const last = bytes.at(-1)
  if (last === undefined) throw new RangeError('a delimiter has one byte or more; this one is empty')
  return { given, bytes, last }
}

/** Whether `delimiter` ends with the byte at `end`, of which that is known already. */
function endsAt(input: FrameBuffer, end: number, delimiter: Uint8Array): boolean {
  const first = end - delimiter.length + 1
  if (first < 0) return false
  for (let index = delimiter.length - 2; index >= 0; index--) {
    if (input.at(first + index) !== delimiter[index]) return false
  }
  return true
}

/** How many bytes of `line` a peer reads as one line, when `delimiter` is sent after it: all, if all is well. */
export function lengthAsRead(line: Uint8Array, delimiter: Uint8Array): number {
  const last = delimiter[delimiter.length - 1]!
  // Most lines have not even the last byte in them. (A delimiter that could begin in the line and end before its own end
  // repeats itself, and then its last byte is among those in the line.)
  if (indexOfByte(line, last) < 0) return line.length
  const sent = join([line, delimiter])
  const input = new FrameBuffer()
  input.append(sent)
  let end = input.indexOf(last)
  while (!endsAt(input, end, delimiter)) end = input.indexOf(last, end + 1)
  return end - delimiter.length + 1
}
