/**
 * Memory in which boxes are written, one after the other, each where the one before ended.
 *
 * A box is never copied on its way to the transport, and costs no memory of its own: many share a block, of which no
 * byte is written twice. No ancestor; `AmpBox.serialize` joins a list of strings.
 */
import { fromLatin1, longestValue } from './box.ts'
import { TooLong } from './errors.ts'

const encoder = new TextEncoder()
/** Bytes of a block, unless a box needs more. */
const blockSize = 32 * 1024
/** Text up to this length is written character by character, which is cheaper than to call an encoder. */
const shortText = 48

export class BoxWriter {
  #bytes = new Uint8Array(0)
  /** Where the present box begins, and how far it goes by now. */
  #start = 0
  #end = 0

  /** How much of the present box is written, in bytes. */
  get length(): number {
    return this.#end - this.#start
  }

  /** Takes what was written since the last time: a view of memory that nobody will write to any more. */
  take(): Uint8Array {
    const box = new Uint8Array(this.#bytes.buffer, this.#start, this.length)
    this.#start = this.#end
    // A block that was made for a large box is not kept for small ones.
    if (this.#bytes.length > blockSize) this.#forget()
    return box
  }

  /** Forgets what was written since the last {@link take}. */
  giveUp(): void {
    this.#end = this.#start
  }

  /** Begins a value, or an element of a list: leaves room for its length. @returns what {@link endValue} needs */
  beginValue(): number {
    this.#reserve(2)
    this.#end += 2
    return this.length
  }

  /**
   * Writes the length of what was written since {@link beginValue}.
   *
   * @param what whose length it is, as an error should call it
   * @throws TooLong if two bytes cannot say it
   */
  endValue(begin: number, what: string): void {
    const length = this.length - begin
    if (length > longestValue) throw new TooLong(what, length, longestValue)
    const at = this.#start + begin - 2
    this.#bytes[at] = length >>> 8
    this.#bytes[at + 1] = length
  }

  /** The two zeros that end a box. */
  writeEnd(): void {
    this.#reserve(2)
    this.#bytes[this.#end++] = 0
    this.#bytes[this.#end++] = 0
  }

  writeBytes(bytes: Uint8Array): void {
    const { length } = bytes
    this.#reserve(length)
    // A `set` of few bytes costs more than a loop.
    if (length < 24) for (let index = 0; index < length; index++) this.#bytes[this.#end + index] = bytes[index]!
    else this.#bytes.set(bytes, this.#end)
    this.#end += length
  }

  /** Text whose characters are bytes: none of them is beyond U+00FF. */
  writeLatin1(text: string): void {
    if (text.length > shortText) this.writeBytes(fromLatin1(text))
    else this.#writeShort(text, 0xff)
  }

  /** Text as UTF-8. */
  writeText(text: string): void {
    if (text.length <= shortText && this.#writeShort(text, 0x7f)) return
    // A UTF-16 unit becomes three bytes of UTF-8 at most.
    this.#reserve(text.length * 3)
    this.#end += encoder.encodeInto(text, this.#bytes.subarray(this.#end)).written
  }

  /** @returns false, and has written nothing, if a character of `text` is beyond `last` */
  #writeShort(text: string, last: number): boolean {
    const { length } = text
    this.#reserve(length)
    for (let index = 0; index < length; index++) {
      const code = text.charCodeAt(index)
      if (code > last) return false
      this.#bytes[this.#end + index] = code
    }
    this.#end += length
    return true
  }

  #forget(): void {
    this.#bytes = new Uint8Array(0)
    this.#start = 0
    this.#end = 0
  }

  #reserve(length: number): void {
    if (this.#end + length <= this.#bytes.length) return
    const begun = this.#bytes.subarray(this.#start, this.#end)
    this.#bytes = new Uint8Array(Math.max(blockSize, (begun.length + length) * 2))
    this.#bytes.set(begun)
    this.#start = 0
    this.#end = begun.length
  }
}

/** Writers that nobody is using. There is more than one only if writing a value runs code that calls somebody else. */
const idle: BoxWriter[] = []

/** Writes one box. What `write` throws is thrown, and nothing is left of the box. */
export function writeBox<T>(write: (writer: BoxWriter, values: T) => void, values: T): Uint8Array {
  const writer = idle.pop() ?? new BoxWriter()
  try {
    write(writer, values)
    writer.writeEnd()
    return writer.take()
  } finally {
    writer.giveUp()
    idle.push(writer)
  }
}
