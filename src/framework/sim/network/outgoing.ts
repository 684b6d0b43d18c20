/**
 * What a program has handed to its kernel and the send buffer had no room for yet.
 *
 * No ancestor: on Twisted's reactors the operating system says how much it took, and the rest is tried again.
 */
import type { Seq } from '../../trace/hook.ts'
import type { Pipe } from './pipe.ts'

export class Outgoing {
  readonly #pipe: Pipe
  /** Is told how many bytes of the program's have left; says by which event of the trace. */
  readonly #left: (length: number) => Seq | undefined
  #pieces: readonly Uint8Array[] = []
  #piece = 0
  #offset = 0
  /** How many bytes of the program's are in each piece, where those are not the same. */
  #lengths: readonly number[] | undefined
  #then: () => void = () => {}

  constructor(pipe: Pipe, left: (length: number) => Seq | undefined) {
    this.#pipe = pipe
    this.#left = left
  }

  /**
   * Sends the pieces, one after the other.
   *
   * @param then is called when the last of them has left, unless that is now
   * @param lengths how many bytes each stands for, if not for its own; those are told when all of the piece has left
   * @returns whether that is now
   */
  send(pieces: readonly Uint8Array[], then: () => void, lengths?: readonly number[]): boolean {
    this.#pieces = pieces
    this.#piece = this.#offset = 0
    this.#lengths = lengths
    this.#then = then
    return this.#fill()
  }

  /** The send buffer has room again. */
  hasRoom(): void {
    if (this.#pieces.length > 0 && this.#fill()) this.#then()
  }

  /** What waits is lost. */
  clear(): void {
    this.#pieces = []
  }

  /** Copies into the send buffer what it has room for. @returns whether that was all */
  #fill(): boolean {
    for (;;) {
      const length = this.#pipe.roomFor(this.#remaining())
      if (length === 0) break
      const before = this.#piece
      const bytes = this.#take(length)
      const told = this.#lengths === undefined ? length : sum(this.#lengths.slice(before, this.#piece))
      this.#pipe.send(bytes, told === 0 ? undefined : this.#left(told))
    }
    if (this.#piece < this.#pieces.length) return false
    this.#pieces = []
    return true
  }

  #remaining(): number {
    let length = -this.#offset
    for (let index = this.#piece; index < this.#pieces.length; index++) length += this.#pieces[index]!.length
    return length
  }

  /** The next `length` bytes, in memory of their own: the sender will use its own again. */
  #take(length: number): Uint8Array {
    const taken = new Uint8Array(length)
    let filled = 0
    while (filled < length) {
      const piece = this.#pieces[this.#piece]!
      const part = Math.min(piece.length - this.#offset, length - filled)
      taken.set(part === piece.length ? piece : piece.subarray(this.#offset, this.#offset + part), filled)
      filled += part
      this.#offset += part
      if (this.#offset < piece.length) break
      this.#piece++
      this.#offset = 0
    }
    return taken
  }
}

function sum(lengths: readonly number[]): number {
  return lengths.reduce((total, length) => total + length, 0)
}
