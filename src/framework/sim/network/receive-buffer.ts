/**
 * What has arrived in a kernel and was not read yet, and in which pieces the program gets it.
 *
 * Where one piece ends and the next begins means nothing, so here it is decided at will. No ancestor.
 */
import type { Seq } from '../../trace/hook.ts'
import type { RandomStream } from '../random-stream.ts'
import type { Path } from './path.ts'

/** The most bytes that are read at once, as in every kernel's default. */
export const mostRead = 64 * 1024

export class ReceiveBuffer {
  readonly #path: Path
  readonly #random: () => RandomStream
  #pieces: { bytes: Uint8Array; seq: Seq | undefined }[] = []
  /** How many bytes it holds. */
  size = 0
  /** The event of the trace by which the bytes came that were taken last. */
  takenSeq: Seq | undefined

  /** @param path whose {@link Path.terms} say how to deliver */
  constructor(path: Path, random: () => RandomStream) {
    this.#path = path
    this.#random = random
  }

  /** Whether what arrives now may go to the program as it is. */
  get isBypassed(): boolean {
    return this.size === 0 && this.#path.terms.delivery === 'as sent'
  }

  add(bytes: Uint8Array, seq: Seq | undefined): void {
    this.#pieces.push({ bytes, seq })
    this.size += bytes.length
  }

  clear(): void {
    this.#pieces = []
    this.size = 0
  }

  /** The next chunk, 1 byte or more. Only when there is something. */
  take(): Uint8Array {
    const first = this.#pieces[0]
    if (first === undefined) return new Uint8Array(0)
    this.takenSeq = first.seq
    const length = this.#lengthOfNext(first.bytes.length)
    this.size -= length
    if (length < first.bytes.length) {
      const { bytes } = first
      first.bytes = bytes.subarray(length)
      return bytes.subarray(0, length)
    }
    if (length === first.bytes.length) {
      this.#pieces.shift()
      return first.bytes
    }
    return this.#joined(length)
  }

  #lengthOfNext(first: number): number {
    switch (this.#path.terms.delivery) {
      case 'bytes':
        return 1
      case 'random':
        return Math.min(this.size, this.#random().between(1, this.#random().chance(1, 2) ? 4 : 4096))
      case 'joined':
        return Math.min(this.size, mostRead)
      default:
        return first
    }
  }

  #joined(length: number): Uint8Array {
    const joined = new Uint8Array(length)
    let filled = 0
    while (filled < length) {
      const piece = this.#pieces[0]!
      const part = piece.bytes.subarray(0, length - filled)
      joined.set(part, filled)
      filled += part.length
      if (part.length === piece.bytes.length) this.#pieces.shift()
      else piece.bytes = piece.bytes.subarray(part.length)
    }
    return joined
  }
}
