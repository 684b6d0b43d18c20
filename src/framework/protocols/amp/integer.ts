/**
 * Integers, in decimal digits.
 *
 * Ancestor: `Integer` of `twisted.protocols.amp`.
 */
import { Argument, type Coding, notReadable, notWritable } from './argument.ts'
import { latin1 } from './box.ts'

/** What an Integer can be beside a bigint of at most 4,300 digits. */
export interface IntegerOptions {
  /**
   * How many digits it may have, in both directions: 4,300 unless given, as in Python, because the time to read them
   * grows faster than their number (CVE-2020-10735).
   */
  readonly maxDigits?: number
}

/**
 * An integer. As a bigint; or, if asked for, as a number, and then one beyond `Number.MAX_SAFE_INTEGER` is refused in
 * both directions.
 */
export function Integer(options?: IntegerOptions): Argument<bigint, false>
export function Integer(options: { readonly as: 'number' }): Argument<number, false>
export function Integer({ as, maxDigits = 4300 }: IntegerOptions & { readonly as?: 'number' } = {}):
  Argument<bigint, false> | Argument<number, false> {
  if (as !== undefined && as !== 'number') throw new TypeError("an Integer is a bigint, or as: 'number'")
  return as === 'number'
    ? new Argument('an Integer', false, asNumber)
    : new Argument('an Integer', false, asBigInt(maxDigits))
}

const minus = 0x2d
/** Digits that fit into a number whatever they are. */
const safeDigits = 15

function asBigInt(maxDigits: number): Coding<bigint> {
  const expected = `an Integer of at most ${maxDigits} digits (raise maxDigits to accept it)`
  return {
    write(value, writer) {
      if (typeof value !== 'bigint') throw notWritable(value, 'a bigint (write 1n, or declare it as: number)')
      const text = value.toString()
      if (digits(text) > maxDigits) throw notWritable(`${text.slice(0, 20)}…`, expected)
      writer.writeLatin1(text)
    },
    read(bytes, start, end) {
      if (end - start <= safeDigits) return BigInt(smallInteger(bytes, start, end))
      const text = latin1(bytes, start, end)
      if (!/^-?\d+$/.test(text)) throw notReadable(bytes, start, end, 'an Integer')
      if (digits(text) > maxDigits) throw notReadable(bytes, start, end, expected)
      return BigInt(text)
    },
  }
}

const asNumber: Coding<number> = {
  write(value, writer) {
    if (!Number.isSafeInteger(value)) throw notWritable(value, aSafeInteger)
    // Zero has no sign here.
    writer.writeLatin1(`${value + 0}`)
  },
  read(bytes, start, end) {
    if (end - start <= safeDigits) return smallInteger(bytes, start, end)
    const text = latin1(bytes, start, end)
    if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(Number(text))) throw notReadable(bytes, start, end, aSafeInteger)
    return Number(text)
  },
}

const aSafeInteger = `an integer from ${Number.MIN_SAFE_INTEGER} to ${Number.MAX_SAFE_INTEGER} (or declare it as a bigint)`

function digits(text: string): number {
  return text.startsWith('-') ? text.length - 1 : text.length
}

/** An integer of few digits, without making text of it. */
function smallInteger(bytes: Uint8Array, start: number, end: number): number {
  const first = bytes[start] === minus ? start + 1 : start
  let value = 0
  for (let index = first; index < end; index++) {
    const digit = bytes[index]! - 0x30
    if (!(digit >= 0 && digit <= 9)) throw notReadable(bytes, start, end, 'an Integer')
    value = value * 10 + digit
  }
  if (first >= end) throw notReadable(bytes, start, end, 'an Integer')
  return first === start || value === 0 ? value : -value
}
