/**
 * The bytes that have arrived and belong to no frame yet, always in one piece, so that a decoder can look at them.
 *
 * While nothing is pending it is the chunk itself, and frames are cut from it without a copy. Only a frame that
 * straddles an edge is joined, in memory of its own. No byte is copied more than a few times, whatever the chunking;
 * at most 1.25 times what is pending (or 64 bytes) is held. Ancestor: the `_buffer` of `twisted.protocols.basic`,
 * which Python's `+=` keeps fast and `Buffer.concat` would not.
 */
import { indexOfByte } from '../core/bytes.ts'

const nothing = new Uint8Array(0)
/** Memory below this is not worth giving back. Bytes. */
const least = 64
/** Memory for so much more than what is pending: little enough to hold, enough that growing stays linear. */
const headroom = 1.25

/** The bytes that belong to no frame yet: what a {@link Decoder} looks at, and takes frames from. */
export class FrameBuffer {
  /** Where the pending bytes are: the chunk, or memory of our own in which a frame is joined. */
  #bytes: Uint8Array = nothing
  /** What frames are views of: `#bytes.buffer`, and where `#bytes` begins there. */
  #memory: ArrayBufferLike = nothing.buffer
  #origin = 0
  #start = 0
  #end = 0
  /** The chunk that follows, of which the first `#joined` bytes are copied to the end of `#bytes` already. */
  #next: Uint8Array | undefined
  #joined = 0
  /** How many bytes of the stream came before `#bytes[0]`. */
  #before = 0

  /** How many bytes of the next frame a decoder has looked through in vain; 0 again as soon as something is taken. */
  scanned = 0

  /* ---------------------------------------------------------------- for decoders */

  /** How many bytes there are to look at. */
  get length(): number {
    return this.#end - this.#start
  }

  /** The byte at `index`, counted from the first that is pending; `undefined` if it has not arrived. */
  at(index: number): number | undefined {
    return index < this.#end - this.#start ? this.#bytes[this.#start + index] : undefined
  }

  /** Where `byte` is next, at `from` or later, counted as in {@link at}; -1 if it has not arrived. */
  indexOf(byte: number, from = 0): number {
    // Memory of our own has room at its end, where anything may be: look at what is filled only.
    const bytes = this.#end === this.#bytes.length ? this.#bytes : this.#bytes.subarray(0, this.#end)
    const found = indexOfByte(bytes, byte, this.#start + from)
    return found < 0 ? -1 : found - this.#start
  }

  /**
   * Takes the next `length` bytes, and drops `trailer` bytes behind them. There must be as many.
   *
   * @returns a view, not a copy; nobody will write to its memory
   */
  take(length: number, trailer = 0): Uint8Array {
    const frame = new Uint8Array(this.#memory, this.#origin + this.#start, length)
    this.skip(length + trailer)
    return frame
  }

  /** Drops the next `length` bytes. There must be as many. */
  skip(length: number): void {
    this.#start += length
    this.scanned = 0
    if (this.#next !== undefined && this.#end - this.#start <= this.#joined) this.#leaveForNext()
  }

  /* ---------------------------------------------------------------- for receivers */

  /** Nothing is pending, and `offset` bytes of the stream came before. What is held of another stream goes with the next chunk. */
  startAt(offset: number): void {
    this.#start = this.#end = this.scanned = 0
    this.#before = offset
  }

  /** How many bytes there are in all, with those that {@link more} has yet to show. */
  get pending(): number {
    return this.#end - this.#start + (this.#next === undefined ? 0 : this.#next.length - this.#joined)
  }

  /** Bytes of memory that are held for what is pending. */
  get held(): number {
    return this.#memory.byteLength + (this.#next?.buffer.byteLength ?? 0)
  }

  /** Where the next byte is in the stream: how many came before it. */
  get offset(): number {
    return this.#before + this.#start
  }

  /** Adds a chunk, which must not change any more. */
  append(chunk: Uint8Array): void {
    if (this.#start === this.#end && this.#next === undefined) {
      this.#look(chunk, this.#before + this.#start)
      return
    }
    this.#joinAll()
    this.#next = chunk
    this.#joined = 0
    this.more()
  }

  /** Puts bytes back that were taken before, in front of what is pending. */
  prepend(bytes: Uint8Array): void {
    const rest = this.takeAll()
    this.#look(bytes, this.#before + this.#start - rest.length - bytes.length)
    if (rest.length > 0) this.append(rest)
  }

  /**
   * Shows more, if there is more: what was to see holds no whole frame. It grows by doubling, so that looking at it
   * again and again stays linear.
   *
   * @returns whether there was more
   */
  more(): boolean {
    const next = this.#next
    if (next === undefined) return false
    this.#join(next, Math.min(next.length - this.#joined, Math.max(least, this.#end - this.#start)))
    return true
  }

  /** Takes as many bytes as can be had in one piece without a copy: all, or those before the next chunk. */
  takeRun(): Uint8Array {
    const length = this.#end - this.#start - (this.#next === undefined ? 0 : this.#joined)
    if (length === this.#bytes.length) {
      // The whole chunk, as it came.
      const chunk = this.#bytes
      this.skip(length)
      return chunk
    }
    return this.take(length)
  }

  /** Takes everything. */
  takeAll(): Uint8Array {
    this.#joinAll()
    return this.takeRun()
  }

  /**
   * Nothing more is taken for now: what is pending moves to memory of its own, if it would hold much more than itself
   * (a short rest of a 64 KiB chunk, say).
   */
  settle(): void {
    this.#joinAll()
    const length = this.#end - this.#start
    if (length === 0) this.#look(nothing, this.#before + this.#start)
    else if (this.#memory.byteLength > Math.max(least, length * headroom)) this.#move(length)
  }

  /* ---------------------------------------------------------------- */

  #look(bytes: Uint8Array, before: number): void {
    this.#bytes = bytes
    this.#memory = bytes.buffer
    this.#origin = bytes.byteOffset
    this.#start = 0
    this.#end = bytes.length
    this.#before = before
    this.scanned = 0
  }

  /** All that was pending before the next chunk is taken: go on in that chunk itself. */
  #leaveForNext(): void {
    const next = this.#next ?? nothing
    const start = this.#joined - (this.#end - this.#start)
    this.#look(next, this.offset - start)
    this.#start = start
    this.#next = undefined
  }

  #joinAll(): void {
    if (this.#next !== undefined) this.#join(this.#next, this.#next.length - this.#joined)
  }

  #join(next: Uint8Array, length: number): void {
    const end = this.#end + length
    if (end > this.#bytes.length) this.#move(Math.floor((end - this.#start) * headroom))
    // A `set` of few bytes costs more than a loop.
    if (length < 8) {
      for (let index = 0; index < length; index++) this.#bytes[this.#end + index] = next[this.#joined + index]!
    } else {
      this.#bytes.set(next.subarray(this.#joined, this.#joined + length), this.#end)
    }
    this.#end += length
    this.#joined += length
    if (this.#joined === next.length) this.#next = undefined
  }

  /** Moves what is to see to new memory of our own. */
  #move(capacity: number): void {
    const length = this.#end - this.#start
    const { scanned } = this
    const own = new Uint8Array(capacity <= length ? length : Math.max(least, capacity))
    own.set(this.#bytes.subarray(this.#start, this.#end))
    this.#look(own, this.offset)
    this.#end = length
    this.scanned = scanned
  }
}
