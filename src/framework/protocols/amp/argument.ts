/**
 * An argument type says how one kind of value is written as bytes, and read again.
 *
 * Ancestor: `Argument` of `twisted.protocols.amp`. A type is declared once, and both sides and the compiler follow it.
 */
import { escaped } from '../../core/bytes.ts'
import type { BoxWriter } from './box-writer.ts'

/** How values of one kind are written and read. What it throws is a BadValue. */
export interface Coding<T> {
  write(value: T, writer: BoxWriter): void
  /** Reads the value that is in `bytes` from `start` up to `end`. */
  read(bytes: Uint8Array, start: number, end: number): T
}

/** A type of arguments and responses: what {@link Integer} and its like return. */
export class Argument<T, Optional extends boolean = boolean> implements Coding<T> {
  /** As it is called in errors: `an Integer`. */
  readonly kind: string
  /** Whether it may be left out. */
  readonly isOptional: Optional
  readonly #coding: Coding<T>

  constructor(kind: string, isOptional: Optional, coding: Coding<T>) {
    this.kind = kind
    this.isOptional = isOptional
    this.#coding = coding
  }

  /** The same type, for a value that may be left out: it is `undefined` then, and no key of the box. */
  optional(): Argument<T, true> {
    return new Argument(this.kind, true, this.#coding)
  }

  /** Writes a value as it is on the wire. @throws BadValue if it is none of this kind */
  write(value: T, writer: BoxWriter): void {
    this.#coding.write(value, writer)
  }

  read(bytes: Uint8Array, start: number, end: number): T {
    return this.#coding.read(bytes, start, end)
  }
}

/** A value that cannot be written, or bytes that cannot be read; whoever knows where it stood says so. */
export class BadValue extends Error {}

/** `value` is not what `expected` says, as in `an integer`. */
export function notWritable(value: unknown, expected: string): BadValue {
  return new BadValue(`${shown(value)} is not ${expected}`)
}

/** The bytes are not what `expected` says. */
export function notReadable(bytes: Uint8Array, start: number, end: number, expected: string): BadValue {
  return new BadValue(`${escaped(bytes.subarray(start, end))} is not ${expected}`)
}

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'object' && value !== null) return `a value of class ${value.constructor?.name ?? 'Object'}`
  return String(value)
}
