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
  #open = new Map<string, Call>()
  #count = 0
  #reason: Error | undefined

  /** Why nothing can be asked any more, once that is so. */
  get reason(): Error | undefined {
    return this.#reason
  }

  /** What the next question is called. Twisted counts those that want no answer too. */
  nextName(): string {
    return (++this.#count).toString(16)
  }

  /** A question was asked. Cancelling the Deferred changes nothing for the peer: its answer is dropped. */
  open(name: string, command: Command): Deferred<object> {
    const deferred = new Deferred<object>()
    this.#open.set(name, { command, deferred })
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
    this.#open = new Map()
    for (const { deferred } of open.values()) if (!deferred.called) deferred.errback(reason)
  }

  #take({ bytes }: Box, value: number): Call {
    const start = value + 2
    const end = start + lengthAt(bytes, value)
    const name = latin1(bytes, start, end)
    const call = this.#open.get(name)
    if (call === undefined) {
      throw new AmpProtocolError(`an answer came to ${escaped(bytes.subarray(start, end))}, which was not asked`)
    }
    this.#open.delete(name)
    return call
  }
}
