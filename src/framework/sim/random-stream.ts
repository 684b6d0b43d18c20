/**
 * Chance from a seed: a stream of numbers that depends on the seed, the stream's name, and how many were drawn before.
 *
 * Streams know nothing of each other, so that a world with one host less draws the same numbers everywhere else. Whole
 * numbers only: how a sine or a logarithm is rounded is not the same everywhere. No ancestor; the idea is that of
 * counter-based generators (Salmon and others, "Parallel random numbers: as easy as 1, 2, 3", 2011).
 */

export class RandomStream {
  readonly #key: number
  #drawn = 0

  constructor(seed: number | string, name: string) {
    this.#key = keyOf(`${seed}/${name}`)
  }

  /** The next number: whole, from 0 up to, not including, 2^32. */
  u32(): number {
    this.#drawn = (this.#drawn + 0x9e3779b9) | 0
    return scrambled(scrambled(this.#key ^ this.#drawn) + this.#key) >>> 0
  }

  /** The next number: from 0 up to, not including, 1, with 53 bits to it. */
  fraction(): number {
    return ((this.u32() >>> 5) * 2 ** 26 + (this.u32() >>> 6)) / 2 ** 53
  }

  /** A whole number from 0 up to, not including, `end`. @throws RangeError unless `end` is from 1 to 2^32 */
  below(end: number): number {
    if (!(Number.isInteger(end) && end >= 1 && end <= 2 ** 32)) {
      throw new RangeError(`numbers are drawn below a whole number from 1 to 2^32, not below ${end}`)
    }
    return Math.floor((this.u32() * end) / 2 ** 32)
  }

  /** A whole number from `first` to `last`, both included. */
  between(first: number, last: number): number {
    return first + this.below(last - first + 1)
  }

  /** True in `times` out of `outOf` cases. */
  chance(times: number, outOf: number): boolean {
    return this.below(outOf) < times
  }

  /** One of them. @throws RangeError if there is none */
  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T
  }
}

/** The last step of MurmurHash3: every bit of what goes in touches every bit of what comes out. */
export function scrambled(bits: number): number {
  let mixed = bits ^ (bits >>> 16)
  mixed = Math.imul(mixed, 0x85ebca6b)
  mixed ^= mixed >>> 13
  mixed = Math.imul(mixed, 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}

/** 32 bits for a name: FNV-1a over its UTF-16 units, scrambled. */
export function keyOf(text: string): number {
  let sum = 0x811c9dc5
  for (let index = 0; index < text.length; index++) sum = Math.imul(sum ^ text.charCodeAt(index), 0x01000193)
  return scrambled(sum)
}
