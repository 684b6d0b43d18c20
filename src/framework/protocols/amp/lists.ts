/**
 * Lists: of one type of values, or of boxes.
 *
 * Ancestors: `ListOf` and `AmpList` of `twisted.protocols.amp`. A list is one value of a box, with 65,535 bytes in all.
 */
import { FrameBuffer } from '../../framing/frame-buffer.ts'
import { Argument, BadValue, notWritable } from './argument.ts'
import { lengthAt } from './box.ts'
import { BoxDecoder } from './box-decoder.ts'
import { AmpProtocolError } from './errors.ts'
import { type Declared, Schema, type ValuesOf } from './schema.ts'

/** A list of values of one type, each with its length in two bytes in front. */
export function ListOf<T>(element: Argument<T, false>): Argument<readonly T[], false> {
  return new Argument<readonly T[], false>(`a ListOf (${element.kind})`, false, {
    write(values, writer) {
      if (!Array.isArray(values)) throw notWritable(values, 'an array')
      for (const value of values as readonly T[]) {
        const begin = writer.beginValue()
        element.write(value, writer)
        writer.endValue(begin, 'an element of a ListOf')
      }
    },
    read(bytes, start, end) {
      const values: T[] = []
      for (let at = start; at < end;) {
        const begin = at + 2
        if (begin > end || (at = begin + lengthAt(bytes, begin - 2)) > end) throw new BadValue('a ListOf is cut short')
        values.push(element.read(bytes, begin, at))
      }
      return values
    },
  })
}

/** A box holds 65,535 bytes of a list at most; so these are no limits of their own. */
const rules = { maxLength: 65_535, maxKeys: 65_535 }

/**
 * A list of objects, each of which is a box: `AmpList({ x: Integer(), y: Integer() })`.
 *
 * @throws TypeError if a name cannot be a key
 */
export function AmpList<D extends Declared>(declared: D): Argument<readonly ValuesOf<D>[], false> {
  const schema = new Schema(declared, 'an element of an AmpList')
  return new Argument<readonly ValuesOf<D>[], false>('an AmpList', false, {
    write(values, writer) {
      if (!Array.isArray(values)) throw notWritable(values, 'an array')
      for (const value of values as readonly unknown[]) {
        if (typeof value !== 'object' || value === null) throw notWritable(value, 'an object')
        schema.write(writer, value)
        writer.writeEnd()
      }
    },
    read(bytes, start, end) {
      const input = new FrameBuffer()
      input.append(bytes.subarray(start, end))
      const decoder = new BoxDecoder(rules)
      const values: ValuesOf<D>[] = []
      try {
        for (let box = decoder.decode(input); box !== undefined; box = decoder.decode(input)) {
          values.push(schema.read(box) as ValuesOf<D>)
        }
      } catch (error) {
        if (!(error instanceof AmpProtocolError)) throw error
        throw new BadValue(error.message)
      }
      if (input.length > 0) throw new BadValue('an AmpList is cut short')
      return values
    },
  })
}
