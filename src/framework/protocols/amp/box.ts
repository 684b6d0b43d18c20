/**
 * A box is what AMP sends: pairs of a key and a value, both bytes; and the two bytes that end it.
 *
 * Ancestor: `AmpBox` of `twisted.protocols.amp`, which is a dictionary. This one is a view of the bytes that came, with
 * the places of the four keys that say what a box is for: nothing is copied, and a peer's key is never a property.
 */
import { escaped } from '../../core/bytes.ts'
import { AmpProtocolError } from './errors.ts'

/** The keys that say what a box is for. */
export const roles = {
  ask: '_ask',
  answer: '_answer',
  command: '_command',
  error: '_error',
  errorCode: '_error_code',
  errorDescription: '_error_description',
} as const

/** How long a key may be, and a value: what their lengths on the wire can say. Bytes. */
export const longestKey = 255
export const longestValue = 65_535

/** Pairs of a key and a value, as they are on the wire. */
export class Box {
  /** The box as it is on the wire, its end included. A view of the chunk that it came in. */
  readonly bytes: Uint8Array
  /** Where the lengths of some values are in {@link bytes}; -1 for a key that is not there. */
  readonly ask: number = -1
  readonly answer: number = -1
  readonly command: number = -1
  readonly error: number = -1

  /**
   * @param bytes one whole box
   * @throws AmpProtocolError if a key is in it twice
   */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    let sorted = true
    for (let at = 0, before = -1; bytes[at + 1]! > 0; before = at, at = nextPair(bytes, at)) {
      const value = at + 2 + bytes[at + 1]!
      if (bytes[at + 2] === underscore) {
        if (isKey(bytes, at, askKey)) this.ask = value
        else if (isKey(bytes, at, commandKey)) this.command = value
        else if (isKey(bytes, at, answerKey)) this.answer = value
        else if (isKey(bytes, at, errorKey)) this.error = value
      }
      if (before < 0 || !sorted) continue
      const order = compareKeys(bytes, before, at)
      if (order === 0) throw duplicate(bytes, at)
      if (order > 0) sorted = false
    }
    // Twisted sorts the keys, and so do we: looking at neighbors is enough then. Others need not.
    if (!sorted) this.#refuseDuplicates()
  }

  /** The value of a key, which is bytes shown as Latin-1; `undefined` if the box has no such key. A view. */
  get(key: string): Uint8Array | undefined {
    for (const [name, value] of this) if (name === key) return value
    return undefined
  }

  /** The pairs in the order of the wire: keys as Latin-1, values as views. */
  *[Symbol.iterator](): Generator<[key: string, value: Uint8Array], undefined> {
    const { bytes } = this
    for (let at = 0; bytes[at + 1]! > 0; at = nextPair(bytes, at)) {
      const value = at + 2 + bytes[at + 1]!
      yield [latin1(bytes, at + 2, value), bytes.subarray(value + 2, value + 2 + lengthAt(bytes, value))]
    }
    return undefined
  }

  #refuseDuplicates(): void {
    const { bytes } = this
    const seen = new Set<string>()
    for (let at = 0; bytes[at + 1]! > 0; at = nextPair(bytes, at)) {
      const key = latin1(bytes, at + 2, at + 2 + bytes[at + 1]!)
      if (seen.has(key)) throw duplicate(bytes, at)
      seen.add(key)
    }
  }
}

/** The length that is written, in two bytes, at `at`. */
export function lengthAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!
}

/** Where the pair behind the one at `at` begins. A key's length has one byte, behind a zero. */
export function nextPair(bytes: Uint8Array, at: number): number {
  const value = at + 2 + bytes[at + 1]!
  return value + 2 + lengthAt(bytes, value)
}

/** Whether the pair at `at` has this key, which is given with its length in front. */
export function isKey(bytes: Uint8Array, at: number, key: Uint8Array): boolean {
  // Its length first of all; the byte before that is zero in both.
  for (let index = 1; index < key.length; index++) if (bytes[at + index] !== key[index]) return false
  return true
}

/** A key as it is on the wire, its length in front. */
export function keyBytes(key: string): Uint8Array {
  return Uint8Array.from([0, key.length, ...fromLatin1(key)])
}

/** Bytes as text that has one character for each. */
export function latin1(bytes: Uint8Array, start = 0, end = bytes.length): string {
  let text = ''
  if (end - start <= 32) {
    for (let index = start; index < end; index++) text += String.fromCharCode(bytes[index]!)
    return text
  }
  // As many arguments as any stack bears.
  for (let at = start; at < end; at += 4096) {
    text += String.fromCharCode(...bytes.subarray(at, Math.min(at + 4096, end)))
  }
  return text
}

/** The other way round; characters beyond U+00FF have no byte. */
export function fromLatin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0))
}

const underscore = 0x5f
const askKey = keyBytes(roles.ask)
const answerKey = keyBytes(roles.answer)
const commandKey = keyBytes(roles.command)
const errorKey = keyBytes(roles.error)

/** Below 0, 0 or above 0, as the key at `one` comes before that at `other`, is the same, or comes after it. */
function compareKeys(bytes: Uint8Array, one: number, other: number): number {
  const oneLength = bytes[one + 1]!
  const otherLength = bytes[other + 1]!
  const both = Math.min(oneLength, otherLength)
  for (let index = 2; index < both + 2; index++) {
    const difference = bytes[one + index]! - bytes[other + index]!
    if (difference !== 0) return difference
  }
  return oneLength - otherLength
}

function duplicate(bytes: Uint8Array, at: number): AmpProtocolError {
  const key = escaped(bytes.subarray(at + 2, at + 2 + bytes[at + 1]!))
  return new AmpProtocolError(`a box has the key ${key} twice`)
}
