/**
 * The three kinds of boxes, as they are written: a question, its answer, and the error in place of one.
 *
 * Ancestor: `BoxDispatcher` of `twisted.protocols.amp`, `_sendBoxCommand` and `formatAnswer`. Keys are in the order of
 * their bytes, as Twisted sends them; one in capitals comes behind AMP's own, what means nothing to anybody.
 */
import { toBytes } from '../../core/bytes.ts'
import { keyBytes, longestValue, roles } from './box.ts'
import { type BoxWriter, writeBox } from './box-writer.ts'
import type { Command } from './command.ts'

export interface Question {
  readonly command: Command
  /** What the answer will name; without it nobody answers. */
  readonly ask: string | undefined
  readonly values: object
}

export interface Answer {
  readonly command: Command
  readonly ask: string
  readonly values: object
}

export interface ErrorAnswer {
  readonly ask: string
  readonly code: string
  readonly description: string
}

/** @throws InvalidSignature or TooLong if the values cannot be sent */
export function questionBox(question: Question): Uint8Array {
  return writeBox(writeQuestion, question)
}

/** @throws InvalidSignature or TooLong if the values cannot be sent */
export function answerBox(answer: Answer): Uint8Array {
  return writeBox(writeAnswer, answer)
}

/** A description that is too long is cut. */
export function errorBox(error: ErrorAnswer): Uint8Array {
  return writeBox(writeError, error)
}

const keys = {
  ask: keyBytes(roles.ask),
  answer: keyBytes(roles.answer),
  command: keyBytes(roles.command),
  error: keyBytes(roles.error),
  errorCode: keyBytes(roles.errorCode),
  errorDescription: keyBytes(roles.errorDescription),
}

function writeQuestion(writer: BoxWriter, { command, ask, values }: Question): void {
  if (ask !== undefined) writePair(writer, keys.ask, ask)
  writePair(writer, keys.command, command.name)
  command.arguments.write(writer, values)
}

function writeAnswer(writer: BoxWriter, { command, ask, values }: Answer): void {
  writePair(writer, keys.answer, ask)
  command.response.write(writer, values)
}

function writeError(writer: BoxWriter, { ask, code, description }: ErrorAnswer): void {
  writePair(writer, keys.error, ask)
  writePair(writer, keys.errorCode, code)
  writer.writeBytes(keys.errorDescription)
  const begin = writer.beginValue()
  writer.writeBytes(toBytes(description).subarray(0, longestValue))
  writer.endValue(begin, 'a description')
}

/** @param value Latin-1 */
function writePair(writer: BoxWriter, key: Uint8Array, value: string): void {
  writer.writeBytes(key)
  const begin = writer.beginValue()
  writer.writeLatin1(value)
  writer.endValue(begin, value)
}
