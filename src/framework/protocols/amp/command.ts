/**
 * A command is a question that one peer may ask the other: its name, what goes with it, what comes back.
 *
 * Ancestor: `twisted.protocols.amp.Command`. Both sides share the one declaration, and the compiler takes all types from
 * it.
 */
import { longestValue } from './box.ts'
import { unhandledErrorCode, unknownErrorCode } from './errors.ts'
import { type Declared, Schema, type ValuesOf } from './schema.ts'

/** A class of errors that can travel: an error is made again, on the other side, from its message. @inline */
export type ErrorFromMessage = new (message: string) => Error

/** Errors by their code on the wire. */
export type DeclaredErrors = Readonly<Record<string, ErrorFromMessage>>

/** What a command is made of. Whatever is left out is empty. */
export interface CommandDeclaration<A extends Declared, R extends Declared, Answered extends boolean> {
  /** What goes with the question. */
  readonly arguments?: A
  /** What comes back. */
  readonly response?: R
  /** What a responder may fail with: the code on the wire, and the class. The first class that fits counts. */
  readonly errors?: DeclaredErrors
  /** The same, for errors after which the connection is closed. */
  readonly fatalErrors?: DeclaredErrors
  /** With `false` nothing comes back, not even an error. */
  readonly requiresAnswer?: Answered
}

/** A declaration of no values. */
type Nothing = Readonly<Record<string, never>>

/** What only the compiler sees. */
declare const values: unique symbol

/** A question that one peer may ask the other; made by {@link command}. */
export class Command<A = unknown, R = unknown, Answered extends boolean = boolean> {
  declare readonly [values]: readonly [A, R]
  /** As it is on the wire, in Latin-1. */
  readonly name: string
  readonly requiresAnswer: Answered
  readonly arguments: Schema
  readonly response: Schema
  readonly errors: ReadonlyMap<string, ErrorFromMessage>
  readonly fatalErrors: ReadonlyMap<string, ErrorFromMessage>

  /** Use {@link command}, which knows the types. */
  constructor(name: string, declaration: CommandDeclaration<Declared, Declared, Answered>, requiresAnswer: Answered) {
    if (name.length > longestValue || /[^\0-\xff]/.test(name)) {
      throw new TypeError(`a command's name is Latin-1, a byte for each character, and at most ${longestValue} of them`)
    }
    this.name = name
    this.requiresAnswer = requiresAnswer
    this.arguments = new Schema(declaration.arguments ?? {}, `the arguments of ${name}`)
    this.response = new Schema(declaration.response ?? {}, `the response of ${name}`)
    this.errors = errorsByCode(declaration.errors, name)
    this.fatalErrors = errorsByCode(declaration.fatalErrors, name)
  }
}

/**
 * Declares a command.
 *
 * @param name as it is on the wire
 * @throws TypeError if a name or a code cannot be sent, or is taken
 *
 * @example
 * const Divide = command('Divide', {
 *   arguments: { numerator: Integer(), denominator: Integer() },
 *   response: { result: Float() },
 *   errors: { ZERO_DIVISION: ZeroDivisionError },
 * })
 */
export function command<
  A extends Declared = Nothing,
  R extends Declared = Nothing,
  const Answered extends boolean = true,
>(name: string, declaration: CommandDeclaration<A, R, Answered> = {}): Command<ValuesOf<A>, ValuesOf<R>, Answered> {
  return new Command(name, declaration, declaration.requiresAnswer ?? (true as Answered))
}

function errorsByCode(errors: DeclaredErrors = {}, name: string): ReadonlyMap<string, ErrorFromMessage> {
  for (const code of Object.keys(errors)) {
    if (code === unknownErrorCode || code === unhandledErrorCode || /[^\0-\xff]/.test(code)) {
      throw new TypeError(`${code} in the errors of ${name}: this code is taken, or is not Latin-1`)
    }
  }
  return new Map(Object.entries(errors))
}
