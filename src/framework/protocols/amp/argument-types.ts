/**
 * The types of single values besides integers: bytes, text, truth, and other numbers, each written as Twisted writes it.
 *
 * Ancestors: `String`, `Unicode`, `Boolean`, `Float` and `Decimal` of `twisted.protocols.amp`.
 */
import { Argument, type Coding, notReadable, notWritable } from './argument.ts'
import { latin1 } from './box.ts'

/** Bytes as they are: up to 65,535. What is read is a view of the chunk that it came in; keep a `copy` of it. */
export function String(): Argument<Uint8Array, false> {
  return new Argument('a String', false, bytes)
}

/** Text, as UTF-8. */
export function Unicode(): Argument<string, false> {
  return new Argument('a Unicode', false, unicode)
}

/** `True` or `False`. */
export function Boolean(): Argument<boolean, false> {
  return new Argument('a Boolean', false, truth)
}

/** A floating-point number as Python writes it, so that it is the same when it is read: `0.1`, `1e+16`, `inf`, `nan`. */
export function Float(): Argument<number, false> {
  return new Argument('a Float', false, float)
}

/** A decimal number of any precision, as text: `1.10`, `-1E+3`, `Infinity`, `NaN`. JavaScript has no type for it. */
export function Decimal(): Argument<string, false> {
  return new Argument('a Decimal', false, decimal)
}

/* ------------------------------------------------------------------ how they are written and read */

const bytes: Coding<Uint8Array> = {
  write(value, writer) {
    if (!(value instanceof Uint8Array)) throw notWritable(value, 'a Uint8Array (text is sent as Unicode)')
    writer.writeBytes(value)
  },
  read: (bytes, start, end) => new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start),
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
/** Text up to this length is read character by character, which is cheaper than to call a decoder. Bytes. */
const shortText = 24

const unicode: Coding<string> = {
  write(value, writer) {
    if (typeof value !== 'string') throw notWritable(value, 'a string')
    writer.writeText(value)
  },
  read(bytes, start, end) {
    if (end - start <= shortText && isASCII(bytes, start, end)) return latin1(bytes, start, end)
    try {
      return decoder.decode(bytes.subarray(start, end))
    } catch {
      throw notReadable(bytes, start, end, 'UTF-8')
    }
  },
}

const truth: Coding<boolean> = {
  write(value, writer) {
    if (typeof value !== 'boolean') throw notWritable(value, 'true or false')
    writer.writeLatin1(value ? 'True' : 'False')
  },
  read(bytes, start, end) {
    const text = end - start <= 5 ? latin1(bytes, start, end) : ''
    if (text !== 'True' && text !== 'False') throw notReadable(bytes, start, end, 'True or False')
    return text === 'True'
  },
}

const float: Coding<number> = {
  write(value, writer) {
    if (typeof value !== 'number') throw notWritable(value, 'a number')
    writer.writeLatin1(asPython(value))
  },
  read(bytes, start, end) {
    const text = latin1(bytes, start, end)
    if (aFloat.test(text)) return Number(text)
    if (text === 'nan') return NaN
    if (text === 'inf') return Infinity
    if (text === '-inf') return -Infinity
    throw notReadable(bytes, start, end, 'a Float')
  },
}

/* There is one way to match each of these two, so that 65,535 digits of a stranger's take no longer than digits do. */
const aFloat = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/
const aDecimal = /^[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:E[+-]?\d+)?|Inf(?:inity)?|s?NaN\d*)$/i

const decimal: Coding<string> = {
  write(value, writer) {
    if (typeof value !== 'string' || !aDecimal.test(value)) throw notWritable(value, 'a decimal number as text')
    writer.writeLatin1(value)
  },
  read(bytes, start, end) {
    const text = latin1(bytes, start, end)
    if (!aDecimal.test(text)) throw notReadable(bytes, start, end, 'a Decimal')
    return text
  },
}

function isASCII(bytes: Uint8Array, start: number, end: number): boolean {
  for (let index = start; index < end; index++) if (bytes[index]! > 0x7f) return false
  return true
}

/** The shortest text that reads as this number, in the form that Python's `repr` gives it. */
function asPython(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf'
  const size = Math.abs(value)
  if (size !== 0 && (size < 1e-4 || size >= 1e16)) {
    // One digit of an exponent is two in Python.
    return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2')
  }
  const text = Object.is(value, -0) ? '-0' : `${value}`
  return text.includes('.') ? text : `${text}.0`
}
