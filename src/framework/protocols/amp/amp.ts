/**
 * AMP: both sides of a connection ask and answer at any time, as many questions at once as they like.
 *
 * Ancestor: `twisted.protocols.amp.AMP`, with which it talks. Left out: switching to another protocol, and passing file
 * descriptors.
 */
import { escaped } from '../../core/bytes.ts'
import type { ConnectionClosed } from '../../core/errors.ts'
import { asError } from '../../core/guard.ts'
import type { Hook } from '../../core/protocol.ts'
import { checkTLSOptions, type TLSClientOptions } from '../../core/tls.ts'
import { Deferred, isPromiseLike } from '../../deferred/deferred.ts'
import type { Failure } from '../../deferred/failure.ts'
import { report } from '../../deferred/reporter.ts'
import { fail } from '../../deferred/wrapping.ts'
import { FrameReceiver } from '../../framing/frame-receiver.ts'
import { trace } from '../../trace/hook.ts'
import { type Box, lengthAt, latin1 } from './box.ts'
import { BoxDecoder } from './box-decoder.ts'
import { Calls, nameOf } from './calls.ts'
import { type Command, command } from './command.ts'
import { CommandLocator, type Responder, type Responding } from './command-locator.ts'
import { AmpProtocolError, BadLocalReturn, unhandledErrorCode, unknownErrorCode } from './errors.ts'
import { answerBox, errorBox, questionBox } from './message-boxes.ts'
import { Outbox, type OutboxOwner } from './outbox.ts'

/** What goes with a call: nothing, if nothing has to. */
type CallArguments<A> = Partial<A> extends A ? [values?: A] : [values: A]

/** The question that Twisted's peers ask, too. */
const StartTLS = command('StartTLS')

/**
 * One end of a connection. A subclass that overrides `connectionLost` calls `super.connectionLost(reason)`, because that
 * is where calls end that were not answered.
 */
export class AMP extends FrameReceiver<Box> implements OutboxOwner {
  /** How large a box of the peer's may be, in bytes, everything counted: 1 MiB. A change counts from the next one on. */
  maxLength = 1_048_576
  /** How many keys it may have. */
  maxKeys = 1_000
  /**
   * How many bytes of ours may wait while the peer takes no more, or until TLS is there: 16 MiB, which is a lot of calls.
   * Beyond that the connection is aborted with SendQueueOverflow.
   */
  maxUnsent = 16_777_216

  protected override readonly decoder = new BoxDecoder(this)

  readonly #calls = new Calls()
  #locator: CommandLocator
  #ownLocator: CommandLocator | undefined
  /** The peer's questions that a responder is still working at. */
  readonly #answering = new Set<string>()
  #lastName = ''
  readonly #outbox = new Outbox(this)
  /** Somebody wants no boxes for now; and so do we, because our answers are not taken. */
  #paused = false
  #noRoom = false

  /** @param locator knows who answers; usually one for all connections */
  constructor(locator = new CommandLocator()) {
    super()
    this.#locator = locator
  }

  /** Lets `responder` answer the command on this connection. As {@link CommandLocator.respond}, which it precedes. */
  respond<A, R>(command: Command<A, R>, responder: Responder<A, R>): this {
    this.#ownLocator ??= this.#locator = new CommandLocator(this.#locator)
    this.#ownLocator.respond(command, responder)
    return this
  }

  /**
   * Asks the peer. Calls may overlap, and are answered in any order.
   *
   * @returns fires with the response. Fails with one of the command's errors; with UnhandledCommand or
   *   UnknownRemoteError; with InvalidSignature or TooLong if the values cannot be sent, and nothing was; with the reason
   *   that `connectionLost` gets, if the connection ends before the answer is there. Cancelling it only stops listening
   */
  callRemote<A, R>(command: Command<A, R, true>, ...values: CallArguments<A>): Deferred<R>
  /**
   * Tells the peer something to which nothing comes back. After the end of the connection it does nothing.
   *
   * @throws InvalidSignature or TooLong if the values cannot be sent
   */
  callRemote<A, R>(command: Command<A, R, false>, ...values: CallArguments<A>): void
  callRemote(command: Command, values: object = {}): Deferred<object> | void {
    const number = this.#calls.next()
    if (!command.requiresAnswer) {
      if (this.#whyNot() === undefined) this.#send(questionBox({ command, ask: undefined, values }))
      return undefined
    }
    const whyNot = this.#whyNot()
    if (whyNot !== undefined) return fail(whyNot)
    let box: Uint8Array
    try {
      box = questionBox({ command, ask: nameOf(number), values })
    } catch (error) {
      return fail(error)
    }
    this.#send(box)
    const answer = this.#calls.open(number, command)
    // Who waits for an answer reads on: it may stand behind questions, and the peer may be waiting for us as well.
    if (this.#noRoom) this.roomMade()
    return answer
  }

  /**
   * Asks the peer to go on with TLS, as its client. What is written from now on waits, and leaves encrypted.
   *
   * @param options give a `serverName`, unless the address that was dialed is in the server's certificate
   * @returns fires when the connection is secure. Fails with TypeError for options that are wrong; in all other cases,
   *   the peer's refusal among them, the connection ends with that as the cause, and nothing leaves in the clear
   */
  startTLS(options: TLSClientOptions): Deferred<void> {
    try {
      checkTLSOptions('client', options)
      const whyNot = this.#whyNot()
      if (whyNot !== undefined) throw whyNot
      if (this.#outbox.held) throw new Error(`${this.transport.peer}: StartTLS is under way already`)
    } catch (error) {
      return fail(error)
    }
    const agreed = this.callRemote(StartTLS)
    this.#outbox.hold()
    return agreed
      .addCallback(() => {
        const secured = this.transport.startTLS({ role: 'client', ...options })
        // The transport holds it back from now on.
        this.#outbox.release()
        return secured
      })
      .addErrback((failure) => {
        this.#refuse(asError(failure.value))
        return failure
      })
  }

  /* ---------------------------------------------------------------- pausing */

  override pauseProducing(): void {
    this.#paused = true
    super.pauseProducing()
  }

  override resumeProducing(): void {
    this.#paused = false
    if (!this.#noRoom) super.resumeProducing()
  }

  /** For the outbox. */
  roomMade(): void {
    if (!this.#noRoom) return
    this.#noRoom = false
    if (!this.#paused) super.resumeProducing()
  }

  /* ---------------------------------------------------------------- what a transport calls */

  override connectionLost(reason: ConnectionClosed): Hook {
    this.#outbox.drop()
    this.#calls.end(reason)
  }

  protected override frameReceived(box: Box): void {
    try {
      if (box.answer >= 0) this.#calls.answered(box)
      else if (box.error >= 0) this.#calls.failed(box)
      else if (box.command >= 0) this.#asked(box)
      else throw new AmpProtocolError('a box is neither a question nor an answer')
    } catch (error) {
      if (!(error instanceof AmpProtocolError)) throw error
      this.#refuse(error)
    }
  }

  /* ---------------------------------------------------------------- answering */

  #asked(box: Box): void {
    const ask = box.ask < 0 ? undefined : textAt(box, box.ask)
    const name = this.#nameOf(box)
    if (name === StartTLS.name && this.#locator.tls !== undefined && ask !== undefined) return this.#askedForTLS(ask)
    const responding = this.#locator.locateResponder(name)
    if (responding === undefined) return this.#unhandled(box, ask)
    if (ask !== undefined && this.#answering.has(ask)) {
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
      answer = responder(values, this)
    } catch (error) {
      this.#responderFailed(command, ask, error)
      return
    }
    if (!isPromiseLike(answer)) {
      this.#answer(command, ask, answer)
      return
    }
    if (ask !== undefined) this.#answering.add(ask)
    const later = answer instanceof Deferred ? (answer as Deferred<unknown>) : Deferred.fromPromise(answer)
    later.addCallbacks(
      (value) => {
        if (ask !== undefined) this.#answering.delete(ask)
        this.#answer(command, ask, value)
      },
      (failure: Failure) => {
        if (ask !== undefined) this.#answering.delete(ask)
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
      report({ error: bad, what: 'A response was not sent', subject: this })
      this.#answerWithError(ask, unknownErrorCode, unknownError)
      return
    }
    this.#sendAnswer(box)
  }

  #responderFailed(command: Command, ask: string | undefined, error: unknown): void {
    const declared = codeOf(command.errors, error)
    const fatal = declared === undefined ? codeOf(command.fatalErrors, error) : undefined
    const code = declared ?? fatal
    if (code === undefined || ask === undefined) {
      report({ error, what: `The responder of ${command.name} failed`, subject: this })
    }
    this.#answerWithError(ask, code ?? unknownErrorCode, code === undefined ? unknownError : asError(error).message)
    if (declared === undefined) this.#refuse(asError(error))
  }

  #unhandled({ bytes, command }: Box, ask: string | undefined): void {
    const description = `Unhandled Command: ${escaped(bytes.subarray(command + 2, command + 2 + lengthAt(bytes, command)))}`
    if (ask === undefined) report({ error: new Error(description), what: 'Nobody answers a command', subject: this })
    else this.#answerWithError(ask, unhandledErrorCode, description)
  }

  #answerWithError(ask: string | undefined, code: string, description: string): void {
    if (ask !== undefined) this.#sendAnswer(errorBox({ ask, code, description }))
  }

  #askedForTLS(ask: string): void {
    if (this.#outbox.held) throw new AmpProtocolError('both sides asked for StartTLS at the same time')
    const { tls } = this.#locator
    if (tls === undefined || this.transport.tls !== undefined) {
      this.#answerWithError(ask, unhandledErrorCode, 'TLS has begun already')
      return
    }
    this.#answer(StartTLS, ask, {})
    this.transport.startTLS({ role: 'server', ...tls }).addErrback(({ value }) => this.#refuse(asError(value)))
  }

  /* ---------------------------------------------------------------- sending */

  #whyNot(): Error | undefined {
    const transport: unknown = this.transport
    if (transport === undefined) return new Error('a call needs a connection, which is not made yet')
    return this.#calls.reason
  }

  #send(box: Uint8Array): boolean {
    trace?.at('frame.out', this.transport, { n: box.length, type: this.decoder.type, text: box })
    return this.#outbox.send(box)
  }

  /** A peer that asks, and does not take the answers, is not read from; unless we wait for an answer ourselves. */
  #sendAnswer(box: Uint8Array): void {
    if (this.#send(box) || this.#calls.waiting > 0 || this.#noRoom) return
    this.#noRoom = true
    super.pauseProducing()
  }

  /** Closes because of `cause`, after what was written has been sent. */
  #refuse(cause: Error): void {
    this.transport.loseConnection({ cause })
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
