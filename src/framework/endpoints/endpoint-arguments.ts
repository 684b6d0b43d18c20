/**
 * The arguments of one endpoint text, by name, each read as what it should be: a port, a duration, an address.
 *
 * Whatever is wrong is an InvalidEndpoint that names the argument, points at it, and says what is allowed. Ancestor: the
 * keyword arguments of Twisted's `_parse…` functions, where a wrong one is a TypeError from somewhere inside.
 */
import { type IPAddress, ipAddress } from '../core/address.ts'
import { addressSet, type AddressTest } from '../policies/address-set.ts'
import { type Description, InvalidEndpoint, type RawArgument } from './description.ts'

/** Which arguments a type of endpoint takes. */
export interface ArgumentNames {
  /** How it is written, for people: `tcp:HOST:PORT[:timeout=SECONDS]`. */
  readonly usage: string
  /** The arguments that may be given without their names, in this order. */
  readonly positional: readonly string[]
  /** The arguments that need their names. */
  readonly named?: readonly string[]
}

/** Reads a whole file, `readFileSync` of `node:fs` for example; it throws if it cannot. */
export type FileReader = (path: string) => string | Uint8Array

/** The arguments of one endpoint text, for who writes an {@link EndpointParser}. */
export class EndpointArguments {
  readonly #description: Description
  readonly #usage: string
  readonly #given = new Map<string, RawArgument>()

  /**
   * Gives each argument its name: one without takes the first positional name that is still free.
   *
   * @throws InvalidEndpoint for one too many, one of an unknown name, and one given twice
   */
  constructor(description: Description, { usage, positional, named = [] }: ArgumentNames) {
    this.#description = description
    this.#usage = `it is written ${usage}`
    const names = [...positional, ...named]
    // `stdio:` is written with a colon, as all types are, and takes nothing.
    const [first, second] = description.rest
    const nothing = names.length === 0 && first?.name === undefined && first?.value === '' && second === undefined
    for (const argument of nothing ? [] : description.rest) {
      const name = argument.name ?? positional.find((free) => !this.#given.has(free))
      if (name === undefined) {
        throw this.#wrong(argument.position, `one argument too many (a colon that belongs to one is written \\:)`)
      }
      if (!names.includes(name)) {
        throw this.#wrong(argument.position, `no argument is called ${JSON.stringify(name)}`)
      }
      if (this.#given.has(name)) throw this.#wrong(argument.position, `the argument ${name} is given twice`)
      this.#given.set(name, argument)
    }
  }

  /** Whether the argument is given, and not empty. */
  has(name: string): boolean {
    return (this.#given.get(name)?.value ?? '') !== ''
  }

  /** The argument as it is. @throws InvalidEndpoint if it is missing or empty; so do all the others here */
  text(name: string): string {
    const argument = this.#given.get(name)
    if (argument === undefined) throw this.#wrong(this.#description.text.length, `the argument ${name} is missing`)
    if (argument.value === '') throw this.#wrong(argument.valuePosition, `the argument ${name} is empty`)
    return argument.value
  }

  /** A whole number, written with digits alone. */
  wholeNumber(name: string, least: number, most: number): number {
    const text = this.text(name)
    const number = /^\d{1,15}$/.test(text) ? Number(text) : NaN
    if (number >= least && number <= most) return number
    throw this.#bad(name, `a whole number from ${least} to ${most}`)
  }

  /**
   * Milliseconds, written as on a command line: `250ms`, `1s`, or a plain number, of seconds. More than 0, a year at most.
   */
  milliseconds(name: string): number {
    const [, digits, unit] = /^(\d{1,15}(?:\.\d{1,15})?|\.\d{1,15})(ms|s)?$/.exec(this.text(name)) ?? []
    const ms = Number(digits) * (unit === 'ms' ? 1 : 1000)
    if (ms > 0 && ms <= 365 * 24 * 3_600_000) return ms
    throw this.#bad(name, 'a time like 250ms, 1.5s or 30, which is in seconds')
  }

  /** The permissions of a file, in octal as `chmod` takes them: `660`, `0660`. */
  mode(name: string): number {
    const text = this.text(name)
    if (/^0?[0-7]{3}$/.test(text)) return Number.parseInt(text, 8)
    throw this.#bad(name, 'permissions in octal, as in 660')
  }

  /** Which of several arguments is given, where there has to be one of them. */
  either<Name extends string>(...names: readonly Name[]): Name {
    const [found, another] = names.filter((name) => this.has(name))
    if (found === undefined) throw this.#wrong(this.#description.text.length, `${names.join(' or ')} is missing`)
    if (another === undefined) return found
    const { position } = this.#given.get(another) as RawArgument
    throw this.#wrong(position, `${found} is given already, and one of ${names.join(' and ')} is enough`)
  }

  /** One of a few words. */
  oneOf<Word extends string>(name: string, words: readonly Word[]): Word {
    const text = this.text(name)
    const found = words.find((word) => word === text)
    if (found !== undefined) return found
    throw this.#bad(name, `one of ${words.join(', ')}`)
  }

  /** A list of words, with commas between them: `h2,http/1.1`. */
  list(name: string): string[] {
    const words = this.text(name).split(',')
    if (words.every((word) => word !== '')) return words
    throw this.#bad(name, 'a list with commas between its words')
  }

  /** What is in the file that the argument names. @param read reads a file; what it throws becomes an InvalidEndpoint */
  contents(name: string, read: FileReader): string | Uint8Array {
    const path = this.text(name)
    try {
      return read(path)
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      const { valuePosition } = this.#given.get(name) as RawArgument
      throw this.#wrong(valuePosition, `the file ${JSON.stringify(path)} cannot be read: ${why}`)
    }
  }

  /** An IP address, with port 0. */
  ipAddress(name: string): IPAddress {
    const address = ipAddress(this.text(name))
    if (address === undefined) throw this.#bad(name, 'an IP address (the colons of an IPv6 address are written \\:)')
    return address
  }

  /** A list for `addressSet`, with commas: `10.0.0.0/8,192.0.2.7`. */
  addressSet(name: string): AddressTest {
    const texts = this.text(name).split(',')
    try {
      return addressSet(texts)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      throw this.#bad(name, `a list like 10.0.0.0/8,192.0.2.7 (${error.message}; colons are written \\:)`)
    }
  }

  /** @throws InvalidEndpoint if one of these arguments is given, which mean nothing beside the others */
  refuse(...names: readonly string[]): void {
    for (const name of names) {
      const argument = this.#given.get(name)
      if (argument !== undefined) throw this.#wrong(argument.position, `the argument ${name} means nothing here`)
    }
  }

  /** The error for an argument whose value is not `what` it should be. */
  #bad(name: string, what: string): InvalidEndpoint {
    const { value, valuePosition } = this.#given.get(name) as RawArgument
    return this.#wrong(valuePosition, `the argument ${name} is ${what}, not ${JSON.stringify(value)}`)
  }

  #wrong(position: number, why: string): InvalidEndpoint {
    return new InvalidEndpoint(this.#description.text, position, why, this.#usage)
  }
}
