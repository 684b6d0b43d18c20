/**
 * What the contract claims, in sentences: each of these throws a plain Error that says what was expected, and what was.
 *
 * No ancestor, and no test runner either: whoever runs the contract has one already.
 */
import { escaped } from '../../core/bytes.ts'
import { whereItDiffers } from '../pattern.ts'
import type { Witness } from '../witness.ts'

/** What a connection may end with. */
export type Ending = 'ConnectionDone' | 'ConnectionLost' | 'ConnectionAborted'

/** @param what is claimed: `the peer is paused` */
export function claim(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`this should be so, and is not: ${what}`)
}

/** Values are compared with `Object.is`, lists place by place. */
export function same(actual: unknown, expected: unknown, what: string): void {
  const isSame =
    Array.isArray(actual) && Array.isArray(expected)
      ? actual.length === expected.length && actual.every((each, place) => Object.is(each, expected[place]))
      : Object.is(actual, expected)
  if (!isSame) throw new Error(`${what}: expected ${shown(expected)}, and it was ${shown(actual)}`)
}

/** Where real systems differ: any one of these. */
export function oneOf<T>(actual: T, allowed: readonly T[], what: string): void {
  if (allowed.includes(actual)) return
  throw new Error(`${what}: expected one of ${allowed.map(shown).join(', ')}, and it was ${shown(actual)}`)
}

export function moreThan(actual: number, least: number, what: string): void {
  if (!(actual > least)) throw new Error(`${what}: expected more than ${least}, and it was ${actual}`)
}

export function atMost(actual: number, most: number, what: string): void {
  if (!(actual <= most)) throw new Error(`${what}: expected ${most} at most, and it was ${actual}`)
}

/** @param expected the very error, or what its message is to contain */
export function throws(f: () => unknown, expected: Error | RegExp, what: string): void {
  let thrown: unknown
  try {
    f()
  } catch (error) {
    thrown = error
  }
  const isExpected =
    expected instanceof RegExp ? thrown instanceof Error && expected.test(thrown.message) : thrown === expected
  if (!isExpected) throw new Error(`${what}: expected it to throw ${shown(expected)}, not ${shown(thrown)}`)
}

/** The witness got the first `length` bytes of the pattern, no more, no less, and in order. */
export function gotPattern(witness: Witness, length: number, what: string): void {
  if (witness.size !== length) throw new Error(`${what}: expected ${length} bytes, and ${witness.size} arrived`)
  const place = whereItDiffers(witness.bytes)
  if (place !== -1) throw new Error(`${what}: the byte at ${place} is not the one that was sent there`)
}

/** The witness was told once and last that its connection has ended, in one of these ways. */
export function ended(witness: Witness, how: Ending | readonly Ending[], who: string): void {
  same(witness.losses, 1, `how often ${who} was told connectionLost`)
  same(witness.calls.at(-1), 'lost', `the last call of ${who}`)
  oneOf(witness.reason?.name, typeof how === 'string' ? [how] : how, `why the connection of ${who} ended`)
}

/** The same, and this is the reason's `cause`. */
export function endedBecauseOf(cause: Error, witness: Witness, how: Ending, who: string): void {
  ended(witness, how, who)
  same(witness.reason?.cause, cause, `the cause for ${who}`)
}

function shown(value: unknown): string {
  if (value instanceof RegExp) return String(value)
  if (value instanceof Uint8Array) return escaped(value, 40)
  if (value instanceof Error) return `${value.name} "${value.message}"`
  if (Array.isArray(value)) return `[${value.map(shown).join(', ')}]`
  return typeof value === 'string' ? JSON.stringify(value) : String(value)
}
