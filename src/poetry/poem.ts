/**
 * A poem, and how it is cut into the pieces in which a slow poet says it.
 *
 * A piece is bytes, not text: where it is cut means nothing, and a cut may go through the middle of a character. Ancestor:
 * krondo's `slowpoetry.py`, part 2.
 */

/** A poem that comes with the program. */
export interface Poem {
  readonly title: string
  readonly author: string
  /** The lines, each with its `\n`. */
  readonly text: string
}

/** A piece is never larger than this many bytes, however long its line is; so a slow client costs little memory. */
export const largestPiece = 64 * 1024

/**
 * Where the piece that begins at `start` ends: after its line, or after `numBytes` bytes if that is given.
 *
 * @param start less than the poem's length, in bytes
 * @returns more than `start`, at most {@link largestPiece} more, at most the poem's length
 */
export function endOfPiece(poem: Uint8Array, start: number, numBytes?: number): number {
  const last = Math.min(poem.length, start + Math.min(numBytes ?? largestPiece, largestPiece))
  if (numBytes !== undefined) return last
  // Looked for in this stretch only: a poem without line ends is not searched to its end for every piece.
  const newline = poem.subarray(start, last).indexOf(0x0a)
  return newline === -1 ? last : start + newline + 1
}
