/**
 * A moment in time with its distance from UTC, to the microsecond: `2012-01-23T12:34:56.054321-01:23`.
 *
 * Ancestor: `DateTime` of `twisted.protocols.amp`. A Date has milliseconds, and no distance; who needs all there is takes
 * the text, which is ISO 8601 and what `Temporal` reads.
 */
import { Argument, type Coding, notReadable, notWritable } from './argument.ts'
import { latin1 } from './box.ts'

/**
 * A point in time. As a Date, to the millisecond, sent as UTC; or, if asked for, as the text on the wire, from which
 * nothing is lost.
 */
export function DateTime(): Argument<Date, false>
export function DateTime(options: { readonly as: 'string' }): Argument<string, false>
export function DateTime(options: { readonly as?: 'string' } = {}): Argument<Date, false> | Argument<string, false> {
  if (options.as !== undefined && options.as !== 'string') throw new TypeError("a DateTime is a Date, or as: 'string'")
  return options.as === 'string' ? new Argument('a DateTime', false, asText) : new Argument('a DateTime', false, asDate)
}

const format = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)\.(\d{6})([+-])(\d\d):(\d\d)$/
const expected = 'a point in time like 2012-01-23T12:34:56.054321-01:23'

const asText: Coding<string> = {
  write(value, writer) {
    if (typeof value !== 'string' || instant(value) === undefined) throw notWritable(value, expected)
    writer.writeLatin1(value)
  },
  read(bytes, start, end) {
    const text = latin1(bytes, start, Math.min(end, start + 33))
    if (instant(text) === undefined) throw notReadable(bytes, start, end, expected)
    return text
  },
}

const asDate: Coding<Date> = {
  write(value, writer) {
    const text = isDate(value) ? isoText(value) : undefined
    if (text === undefined) throw notWritable(value, 'a Date in the years 1 to 9999')
    // Twisted writes a minus where the distance is none.
    writer.writeLatin1(text.replace('Z', '000-00:00'))
  },
  read(bytes, start, end) {
    return dateOf(instant(asText.read(bytes, start, end)) ?? NaN)
  },
}

/** Milliseconds since 1970 of a text in the format, whole ones; `undefined` if it is not in it, or there is no such day. */
function instant(text: string): number | undefined {
  const [, year, month, day, hour, minute, second, micros, sign, hours, minutes] = format.exec(text) ?? []
  if (year === undefined) return undefined
  const wall = `${year}-${month}-${day}T${hour}:${minute}:${second}.${micros?.slice(0, 3)}Z`
  const ms = parse(wall)
  // What is rolled over (the 30th of February, 24 o'clock) comes out differently. Python knows no year 0.
  if (Number.isNaN(ms) || year === '0000' || isoText(dateOf(ms)) !== wall) return undefined
  if (Number(hours) > 23 || Number(minutes) > 59) return undefined
  const distance = (Number(hours) * 60 + Number(minutes)) * 60_000
  return sign === '+' ? ms - distance : ms + distance
}

/** As `toISOString` has it, if the year is one that Python knows. */
function isoText(date: Date): string | undefined {
  const text = Number.isNaN(date.getTime()) ? '' : date.toISOString()
  return /^(?!0000)\d{4}-/.test(text) ? text : undefined
}

/* A Date is only a form of writing here: nobody asks it what time it is. */
/* oxlint-disable no-restricted-globals */

function isDate(value: unknown): value is Date {
  return value instanceof Date
}

function dateOf(ms: number): Date {
  return new Date(ms)
}

function parse(text: string): number {
  return Date.parse(text)
}
