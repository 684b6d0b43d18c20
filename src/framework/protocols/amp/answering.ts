/**
 * The questions that the peer asks: who answers them, with what, and what becomes of a responder that fails.
 *
 * Ancestor: `BoxDispatcher._commandReceived` of `twisted.protocols.amp`, and the responder of StartTLS.
 */
import { escaped } from '../../core/bytes.ts'
import { asError } from '../../core/guard.ts'
import type { TLSServerOptions } from '../../core/tls.ts'
import { Deferred, isPromiseLike } from '../../deferred/deferred.ts'
import type { Failure } from '../../deferred/failure.ts'
import { report } from '../../deferred/reporter.ts'
import type { AMP } from './amp.ts'
import { type Box, lengthAt, latin1 } from './box.ts'
import { type Command, command } from './command.ts'
import { CommandLocator, type Responder, type Responding } from './command-locator.ts'
import { AmpProtocolError, BadLocalReturn, unhandledErrorCode, unknownErrorCode } from './errors.ts'
import { answerBox, errorBox } from './message-boxes.ts'

/** The question that Twisted's peers ask, too. */
export const StartTLS = command('StartTLS')

/** How answers leave. */
export interface AnswerSender {
  send(answer: Uint8Array): void
  /** Goes on with TLS behind this answer. */
  sendAndStartTLS(answer: Uint8Array, options: TLSServerOptions): void
}

export class Answering {
  readonly #peer: AMP
  readonly #sender: AnswerSender
  #locator: CommandLocator
  #ownLocator: CommandLocator | undefined
  /** What a responder is still working at. Not there until one takes its time: most connections are idle. */
  #open: Set<string> | undefined
  #lastName = ''

  /**
   * @param peer whom responders are told of
   * @param locator knows who answers
   */
  constructor(peer: AMP, sender: AnswerSender, locator: CommandLocator) {
    this.#peer = peer
    this.#sender = sender
    this.#locator = locator
  }

  /** Lets `responder` answer on this connection. */
  respond<A, R>(command: Command<A, R>, responder: Responder<A, R>): void {
    this.#ownLocator ??= this.#locator = new CommandLocator(this.#locator)
    this.#ownLocator.respond(command, responder)
  }

  /** The peer asked. @throws AmpProtocolError if its question is none */
  asked(box: Box): void {
    const ask = box.ask < 0 ? undefined : textAt(box, box.ask)
    const name = this.#nameOf(box)
    const { tls } = this.#locator
    if (name === StartTLS.name && tls !== undefined && ask !== undefined) {
      this.#sender.sendAndStartTLS(answerBox({ command: StartTLS, ask, values: {} }), tls)
      return
    }
    const responding = this.#locator.locateResponder(name)
    if (responding === undefined) return this.#unhandled(box, ask)
    if (ask !== undefined && this.#open?.has(ask) === true) {
      throw new AmpProtocolError('a question was asked under the name of one that is not answered yet')
    }
    let values: object
    try {
      values = responding.command.arguments.read(box)
    } catch (error) {
      this.#answerWithError(ask, unknownErrorCode, unknownError)
      throw error
    }
    this.#respond(responding, values, ask)
  }

  /** The name of the command, mostly that of the one before: then no new text is made of it. */
  #nameOf(box: Box): string {
    const before = this.#lastName
    return isText(box.bytes, box.command, before) ? before : (this.#lastName = textAt(box, box.command))
  }

  #respond({ command, responder }: Responding, values: object, ask: string | undefined): void {
    let answer: unknown
    try {
      answer = responder(values, this.#peer)
    } catch (error) {
      this.#responderFailed(command, ask, error)
      return
    }
    if (!isPromiseLike(answer)) {
      this.#answer(command, ask, answer)
      return
    }
    if (ask !== undefined) (this.#open ??= new Set()).add(ask)
    const later = answer instanceof Deferred ? (answer as Deferred<unknown>) : Deferred.fromPromise(answer)
    later.addCallbacks(
      (value) => {
        if (ask !== undefined) this.#open?.delete(ask)
        this.#answer(command, ask, value)
      },
      (failure: Failure) => {
        if (ask !== undefined) this.#open?.delete(ask)
        this.#responderFailed(command, ask, failure.value)
      },
    )
  }

  #answer(command: Command, ask: string | undefined, values: unknown): void {
    if (ask === undefined) return
    let box: Uint8Array
    try {
      box = answerBox({ command, ask, values: values ?? {} })
    } catch (error) {
      const bad = new BadLocalReturn(command.name, asError(error))
      report({ error: bad, what: 'A response was not sent', subject: this.#peer })
      this.#answerWithError(ask, unknownErrorCode, unknownError)
      return
    }
    this.#sender.send(box)
  }

  #responderFailed(command: Command, ask: string | undefined, error: unknown): void {
    const declared = codeOf(command.errors, error)
    const fatal = declared === undefined ? codeOf(command.fatalErrors, error) : undefined
    const code = declared ?? fatal
    if (code === undefined || ask === undefined) {
      report({ error, what: `The responder of ${command.name} failed`, subject: this.#peer })
    }
    this.#answerWithError(ask, code ?? unknownErrorCode, code === undefined ? unknownError : asError(error).message)
    if (declared === undefined) this.#refuse(error)
  }

  #unhandled({ bytes, command }: Box, ask: string | undefined): void {
    const description = `Unhandled Command: ${escaped(bytes.subarray(command + 2, command + 2 + lengthAt(bytes, command)))}`
    if (ask === undefined)
      report({ error: new Error(description), what: 'Nobody answers a command', subject: this.#peer })
    else this.#answerWithError(ask, unhandledErrorCode, description)
  }

  #answerWithError(ask: string | undefined, code: string, description: string): void {
    if (ask !== undefined) this.#sender.send(errorBox({ ask, code, description }))
  }

  /** Closes because of `cause`, after what was written has been sent. */
  #refuse(cause: unknown): void {
    this.#peer.transport.loseConnection({ cause: asError(cause) })
  }
}

/** All that a peer learns about an error that was not declared; Twisted's words. */
const unknownError = 'Unknown Error'

function textAt({ bytes }: Box, value: number): string {
  return latin1(bytes, value + 2, value + 2 + lengthAt(bytes, value))
}

/** Whether the value whose length is at `value` is this text, in Latin-1. */
function isText(bytes: Uint8Array, value: number, text: string): boolean {
  if (lengthAt(bytes, value) !== text.length) return false
  for (let index = 0; index < text.length; index++) {
    if (bytes[value + 2 + index] !== text.charCodeAt(index)) return false
  }
  return true
}

function codeOf(errors: Command['errors'], error: unknown): string | undefined {
  for (const [code, Declared] of errors) if (error instanceof Declared) return code
  return undefined
}
