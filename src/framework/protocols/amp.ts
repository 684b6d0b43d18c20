/**
 * `amp`: everything of AMP under one name, so that `amp.String()` is not mistaken for the language's own.
 *
 * Ancestor: the module `twisted.protocols.amp`.
 */
export { AMP } from './amp/amp.ts'
export type { Argument } from './amp/argument.ts'
export { Boolean, Decimal, Float, String, Unicode } from './amp/argument-types.ts'
export { Box } from './amp/box.ts'
export { BoxDecoder, type BoxRules } from './amp/box-decoder.ts'
export { type Command, command, type CommandDeclaration, type DeclaredErrors } from './amp/command.ts'
export { CommandLocator, type Responder } from './amp/command-locator.ts'
export { DateTime } from './amp/date-time.ts'
export {
  AmpProtocolError,
  BadLocalReturn,
  BoxTooLarge,
  InvalidSignature,
  RemoteAmpError,
  TooLong,
  TooManyKeys,
  UnhandledCommand,
  UnknownRemoteError,
} from './amp/errors.ts'
export { Integer, type IntegerOptions } from './amp/integer.ts'
export { AmpList, ListOf } from './amp/lists.ts'
export type { Declared, ValuesOf } from './amp/schema.ts'
