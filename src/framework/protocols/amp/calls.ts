/**
 * The questions that this side has asked and that are not answered yet.
 *
 * Ancestor: `BoxDispatcher._outstandingRequests` of `twisted.protocols.amp`. Each call is settled once: by its answer,
 * by an error, or by the end of the connection.
 */
import { escaped, toText } from '../../core/bytes.ts'
import type { ConnectionClosed } from '../../core/errors.ts'
import { Deferred } from '../../deferred/deferred.ts'
import { type Box, lengthAt, latin1, roles } from './box.ts'
import type { Command } from './command.ts'
import {
  AmpProtocolError,
  printable,
  UnhandledCommand,
  unhandledErrorCode,
  UnknownRemoteError,
  unknownErrorCode,
} from './errors.ts'

interface Call {
  readonly command: Command
  readonly deferred: Deferred<object>
}

export class Calls {
  /** By number. Not there until something was asked: most connections of a server never ask. */
  #open: Map<number, Call> | undefined
  #count = 0
  #reason: Error | undefined

  /** Why nothing can be asked any more, once that is so. */
  get reason(): Error | undefined {
    return this.#reason
  }

  /** How many questions are not answered yet. */
  get waiting(): number {
    return this.#open?.size ?? 0
  }

  /** The number of the next question, by which it is called on the wire. Twisted counts those without an answer too. */
  next(): number {
    return ++this.#count
  }

  /** A question was asked. Cancelling the Deferred changes nothing for the peer: its answer is dropped. */
  open(number: number, command: Command): Deferred<object> {
    const deferred = new Deferred<object>()
    this.#open ??= new Map()
    this.#open.set(number, { command, deferred })
    return deferred
  }

  /**
   * The peer answered.
   *
   * @throws AmpProtocolError if it answers nothing, or what it says is not what the command declares; the call has
   *   failed with that
   */
  answered(box: Box): void {
    const { command, deferred } = this.#take(box, box.answer)
    if (deferred.called) return
    let values: object
    try {
      values = command.response.read(box)
    } catch (error) {
      deferred.errback(error)
      throw error
    }
    deferred.callback(values)
  }

  /** The peer answered with an error. @throws AmpProtocolError if it answers nothing */
  failed(box: Box): void {
    const { command, deferred } = this.#take(box, box.error)
    if (deferred.called) return
    const code = latin1(box.get(roles.errorCode) ?? new Uint8Array(0)) || unknownErrorCode
    const description = toText(box.get(roles.errorDescription) ?? new Uint8Array(0))
    const Declared = command.errors.get(code) ?? command.fatalErrors.get(code)
    if (Declared !== undefined) deferred.errback(new Declared(printable(description)))
    else if (code === unhandledErrorCode) deferred.errback(new UnhandledCommand(code, description))
    else deferred.errback(new UnknownRemoteError(code, description))
  }

  /** The connection is over: every call that waits fails with `reason`, and so does every later one. */
  end(reason: ConnectionClosed): void {
    this.#reason = reason
    const open = this.#open
    this.#open = undefined
    for (const { deferred } of open?.values() ?? []) if (!deferred.called) deferred.errback(reason)
  }

  #take({ bytes }: Box, value: number): Call {
    const start = value + 2
    const end = start + lengthAt(bytes, value)
    const number = nameAsNumber(bytes, start, end)
    const call = this.#open?.get(number)
    if (call === undefined) {
      throw new AmpProtocolError(`an answer came to ${escaped(bytes.subarray(start, end))}, which was not asked`)
    }
    this.#open?.delete(number)
    return call
  }
}

/** How a question is called on the wire: its number in hexadecimal digits, as Twisted has it. */
export function nameOf(number: number): string {
  return number.toString(16)
}

/** The other way round; 0, which is no question's number, for what we do not write. */
function nameAsNumber(bytes: Uint8Array, start: number, end: number): number {
  if (bytes[start] === 0x30 || end - start > 13) return 0
  let number = 0
  for (let index = start; index < end; index++) {
    const byte = bytes[index]!
    const digit = byte <= 0x39 ? byte - 0x30 : byte - 0x57
    if (digit < 0 || digit > 15 || (digit < 10 && byte > 0x39)) return 0
    number = number * 16 + digit
  }
  return number
}
