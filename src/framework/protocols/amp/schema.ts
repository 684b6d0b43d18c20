/**
 * A schema says which keys a box has besides those of AMP itself, and of what type their values are.
 *
 * Ancestors: `Command.arguments`, `Command.response` and the functions `_objectsToStrings` and `_stringsToObjects` of
 * `twisted.protocols.amp`. Only names that were declared become properties; a key of the peer's that was not is skipped.
 */
import { type Argument, BadValue } from './argument.ts'
import { type Box, isKey, keyBytes, lengthAt, longestKey, nextPair, roles } from './box.ts'
import type { BoxWriter } from './box-writer.ts'
import { AmpProtocolError, InvalidSignature } from './errors.ts'

/** Names of values and their types: `{ a: Integer(), note: Unicode().optional() }`. */
export type Declared = Readonly<Record<string, Argument<unknown>>>

/** The values of a declaration: `{ a: bigint, note?: string | undefined }`. */
export type ValuesOf<D extends Declared> = Together<
  { [K in keyof D as D[K] extends Argument<unknown, true> ? never : K]: ValueOf<D[K]> } & {
    [K in keyof D as D[K] extends Argument<unknown, true> ? K : never]?: ValueOf<D[K]> | undefined
  }
>
type ValueOf<A> = A extends Argument<infer T> ? T : never
type Together<T> = { [K in keyof T]: T[K] }

interface Field {
  readonly name: string
  /** With its length in front. */
  readonly key: Uint8Array
  readonly argument: Argument<unknown>
  /** Every object has a property of this name, so that one that was left out must not be looked for. */
  readonly inherited: boolean
}

const reserved: ReadonlySet<string> = new Set(Object.values(roles))

export class Schema {
  /** In the order of their keys' bytes, as Twisted sends them. */
  readonly #fields: readonly Field[]
  readonly #required: number
  /** What has these values, as an error calls it: `the arguments of Sum`. */
  readonly #subject: string

  /** @throws TypeError if a name cannot be a key */
  constructor(declared: Declared, subject: string) {
    this.#subject = subject
    const prototype: unknown = Object.getPrototypeOf(declared)
    if (prototype !== Object.prototype && prototype !== null) {
      throw new TypeError(`${subject} are declared in a plain object (and none of them is called __proto__)`)
    }
    this.#fields = Object.keys(declared)
      .sort()
      .map((name) => fieldOf(name, declared[name]!, subject))
    this.#required = this.#fields.filter(({ argument }) => !argument.isOptional).length
  }

  /**
   * Writes the pairs of these values.
   *
   * @throws InvalidSignature if one is missing or of another type; TooLong
   */
  write(writer: BoxWriter, values: object): void {
    for (const field of this.#fields) {
      const value = field.inherited && !Object.hasOwn(values, field.name) ? undefined : (values as Values)[field.name]
      if (value !== undefined) this.#writePair(writer, field, value)
      else if (!field.argument.isOptional) {
        throw new InvalidSignature(`${field.name} is missing in ${this.#subject}: it is ${field.argument.kind}`)
      }
    }
  }

  /**
   * Reads the values of a box.
   *
   * @throws AmpProtocolError if one is missing or is not of its type
   */
  read(box: Box): object {
    const { bytes } = box
    const values: Values = {}
    let required = 0
    // Mostly the keys come in the order of the fields; so the next one is looked for first.
    let expected = 0
    for (let at = 0; bytes[at + 1]! > 0; at = nextPair(bytes, at)) {
      const value = at + 2 + bytes[at + 1]!
      if (value === box.ask || value === box.command || value === box.answer) continue
      const index = this.#fieldOf(bytes, at, expected)
      const field = this.#fields[index]
      if (field === undefined) continue
      expected = index + 1
      values[field.name] = this.#readValue(bytes, value + 2, value + 2 + lengthAt(bytes, value), field)
      if (!field.argument.isOptional) required++
    }
    if (required < this.#required) throw this.#missing(values)
    return values
  }

  /** Which field has the key of the pair at `at`; as many as there are, if none has. */
  #fieldOf(bytes: Uint8Array, at: number, expected: number): number {
    const fields = this.#fields
    if (expected < fields.length && isKey(bytes, at, fields[expected]!.key)) return expected
    let index = 0
    while (index < fields.length && !isKey(bytes, at, fields[index]!.key)) index++
    return index
  }

  #writePair(writer: BoxWriter, field: Field, value: unknown): void {
    writer.writeBytes(field.key)
    const begin = writer.beginValue()
    try {
      field.argument.write(value, writer)
    } catch (error) {
      if (error instanceof BadValue) {
        throw new InvalidSignature(`${field.name} in ${this.#subject}: ${error.message}`)
      }
      throw error
    }
    writer.endValue(begin, `${field.name} in ${this.#subject}`)
  }

  #readValue(bytes: Uint8Array, start: number, end: number, field: Field): unknown {
    try {
      return field.argument.read(bytes, start, end)
    } catch (error) {
      if (!(error instanceof BadValue)) throw error
      throw new AmpProtocolError(`${field.name} in ${this.#subject}: ${error.message}`)
    }
  }

  #missing(values: Values): AmpProtocolError {
    const missing = this.#fields.find(({ argument, name }) => !argument.isOptional && !Object.hasOwn(values, name))
    return new AmpProtocolError(`${missing?.name} is missing in ${this.#subject}`)
  }
}

type Values = Record<string, unknown>

function fieldOf(name: string, argument: Argument<unknown>, subject: string): Field {
  if (name.length === 0 || name.length > longestKey) {
    throw new TypeError(`a name has 1 to ${longestKey} characters; in ${subject} one has ${name.length}`)
  }
  if (/[^\0-\xff]/.test(name))
    throw new TypeError(`${name} in ${subject}: a name is Latin-1, a byte for each character`)
  if (reserved.has(name) || name === '__proto__') throw new TypeError(`${name} in ${subject}: this name is taken`)
  return { name, key: keyBytes(name), argument, inherited: name in Object.prototype }
}
