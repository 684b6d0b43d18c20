/**
 * What one connection has yet to send: pieces in order, the small ones gathered in the reactor's scratch memory.
 *
 * Measured ways: up to 2 KiB it is cheaper to copy a piece than to hand the kernel one more; a scratch and a queue that
 * belong to the reactor cost an idle connection nothing. No ancestor.
 */
import type { Data } from './bytes.ts'
import type { Scratch, Turn } from './turn.ts'

const encoder = new TextEncoder()
/** Pieces up to this size are copied; larger ones are kept by reference. Bytes. */
const copyLimit = 2048
/** `set` has a fixed cost that a loop over so few bytes does not reach. Bytes. */
const loopLimit = 8
/** Memory that pieces are moved to when the kernel is full, so that waiting does not pin the reactor's scratch. */
const leastBlock = 1024
const mostBlock = 16 * 1024

export class SendQueue {
  readonly #turn: Turn
  /** Pieces that are complete: first the parked ones, then those of this turn. */
  #pieces: Uint8Array[] = []
  #parked = 0
  #size = 0
  /** The run that is being gathered, behind `#pieces`: a stretch of a scratch that holds our bytes only. */
  #run: Scratch | undefined
  #runStart = 0
  #runEnd = 0
  /** Scratches that pieces of this turn point into, one entry a run. */
  #held: Scratch[] = []
  /** Pieces given out by `take`, and the scratches that they point into. */
  #given: Uint8Array[] = []
  #heldInFlight: Scratch[] = []
  #inFlight = 0
  /** Where pieces are parked: the last block, and how much of it is filled. */
  #block: Uint8Array | undefined
  #blockUsed = 0

  /** Its connection is to flush it at the end of this turn. */
  dirty = false

  constructor(turn: Turn) {
    this.#turn = turn
  }

  /** Bytes that wait here, to be taken. */
  get size(): number {
    return this.#size
  }

  /** Bytes that were taken, and of which nobody has said that they left. */
  get inFlight(): number {
    return this.#inFlight
  }

  /** Adds to the end. @returns how many bytes that were */
  add(data: Data): number {
    const length = typeof data === 'string' ? this.#addText(data) : this.#addBytes(data)
    this.#size += length
    return length
  }

  /**
   * Takes the first `most` bytes, or all if there are fewer. They stay as they are until {@link taken} is called; the
   * list of them is used again then.
   */
  take(most: number): readonly Uint8Array[] {
    this.#endRun()
    if (this.#size > most) return this.#takeSome(most)
    const pieces = this.#pieces
    this.#pieces = this.#given
    this.#given = pieces
    const held = this.#held
    this.#held = this.#heldInFlight
    this.#heldInFlight = held
    this.#inFlight = this.#size
    this.#size = 0
    this.#parked = 0
    this.#block = undefined
    return pieces
  }

  /** So many bytes of what {@link take} gave out are with the kernel. */
  left(length: number): void {
    this.#inFlight -= length
  }

  /** All that {@link take} gave out is with the kernel: its memory can be used again. */
  taken(): void {
    this.#inFlight = 0
    forget(this.#given)
    this.#release(this.#heldInFlight)
  }

  /** Nothing can leave now: moves this turn's small pieces into memory of our own and gives the scratch back. */
  park(): void {
    this.#endRun()
    for (const piece of this.#pieces.splice(this.#parked)) {
      if (piece.length > copyLimit && !this.#held.some(({ bytes }) => bytes.buffer === piece.buffer))
        this.#pieces.push(piece)
      else this.#keep(piece)
    }
    this.#parked = this.#pieces.length
    this.#release(this.#held)
  }

  /** Drops everything. */
  clear(): void {
    this.#endRun()
    forget(this.#pieces)
    this.#parked = 0
    this.#size = 0
    this.#block = undefined
    this.#release(this.#held)
    this.taken()
    this.dirty = false
  }

  #takeSome(most: number): readonly Uint8Array[] {
    this.park()
    let room = most
    let whole = 0
    for (const piece of this.#pieces) {
      if (piece.length > room) break
      room -= piece.length
      whole++
    }
    const some = this.#pieces.splice(0, whole)
    const next = this.#pieces[0]
    if (room > 0 && next !== undefined) {
      some.push(next.subarray(0, room))
      this.#pieces[0] = next.subarray(room)
    }
    this.#parked = this.#pieces.length
    this.#size -= most
    this.#inFlight = most
    return (this.#given = some)
  }

  #addText(text: string): number {
    // A UTF-16 unit becomes three bytes of UTF-8 at most.
    if (text.length * 3 > copyLimit) return this.#addBytes(encoder.encode(text))
    const scratch = this.#gather(text.length * 3)
    const { written } = encoder.encodeInto(text, scratch.bytes.subarray(scratch.used))
    this.#runEnd = scratch.used += written
    return written
  }

  #addBytes(data: Uint8Array): number {
    // The scratch belongs to everybody: what is not bytes must not come near it.
    if (!ArrayBuffer.isView(data) || data.BYTES_PER_ELEMENT !== 1) {
      throw new TypeError(`write takes a Uint8Array or a string, not ${Object.prototype.toString.call(data)}`)
    }
    const length = data.length
    if (length > copyLimit) {
      this.#endRun()
      this.#pieces.push(data)
      return length
    }
    const scratch = this.#gather(length)
    const { bytes, used } = scratch
    if (length < loopLimit) for (let index = 0; index < length; index++) bytes[used + index] = data[index]!
    else bytes.set(data, used)
    this.#runEnd = scratch.used = used + length
    return length
  }

  /** The scratch to copy `length` bytes into; they continue our run if nobody else wrote there in between. */
  #gather(length: number): Scratch {
    const scratch = this.#turn.scratch(length)
    if (this.#run === scratch && this.#runEnd === scratch.used) return scratch
    this.#endRun()
    scratch.holders++
    this.#run = scratch
    this.#runStart = this.#runEnd = scratch.used
    return scratch
  }

  #endRun(): void {
    const run = this.#run
    if (run === undefined) return
    this.#run = undefined
    this.#held.push(run)
    if (this.#runEnd > this.#runStart) this.#pieces.push(run.bytes.subarray(this.#runStart, this.#runEnd))
  }

  /** Copies `piece` to the end of the last block, or to a new one, each twice as large as the one before. */
  #keep(piece: Uint8Array): void {
    let block = this.#block
    if (block === undefined || this.#blockUsed + piece.length > block.length) {
      const size = block === undefined ? leastBlock : Math.min(block.length * 2, mostBlock)
      this.#block = block = new Uint8Array(Math.max(size, piece.length))
      this.#blockUsed = 0
    }
    const start = this.#blockUsed
    block.set(piece, start)
    this.#blockUsed += piece.length
    const last = this.#pieces.at(-1)
    if (start > 0 && last?.buffer === block.buffer && last.byteOffset + last.length === start) {
      this.#pieces[this.#pieces.length - 1] = block.subarray(last.byteOffset, this.#blockUsed)
    } else {
      this.#pieces.push(block.subarray(start, this.#blockUsed))
    }
  }

  #release(held: Scratch[]): void {
    for (let scratch = held.pop(); scratch !== undefined; scratch = held.pop()) this.#turn.release(scratch)
  }
}

/** Empties a list that is used again. To set its length costs more, for the one or two entries that it has. */
function forget(list: unknown[]): void {
  while (list.length > 0) list.pop()
}
