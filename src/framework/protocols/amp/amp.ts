/**
 * AMP: both sides of a connection ask and answer at any time, as many questions at once as they like.
 *
 * Ancestor: `twisted.protocols.amp.AMP`, with which it talks. Left out: switching to another protocol, and passing file
 * descriptors.
 */
import type { ConnectionClosed } from '../../core/errors.ts'
import { asError } from '../../core/guard.ts'
import type { Hook } from '../../core/protocol.ts'
import { checkTLSOptions, type TLSClientOptions, type TLSServerOptions } from '../../core/tls.ts'
import type { Deferred } from '../../deferred/deferred.ts'
import { fail } from '../../deferred/wrapping.ts'
import { FrameReceiver } from '../../framing/frame-receiver.ts'
import { trace } from '../../trace/hook.ts'
import { Answering, StartTLS } from './answering.ts'
import type { Box } from './box.ts'
import { BoxDecoder } from './box-decoder.ts'
import { Calls, nameOf } from './calls.ts'
import type { Command } from './command.ts'
import { CommandLocator, type Responder } from './command-locator.ts'
import { AmpProtocolError } from './errors.ts'
import { questionBox } from './message-boxes.ts'
import { Outbox } from '../../framing/outbox.ts'

/** What goes with a call: nothing, if nothing has to. @inline */
type CallArguments<A> = Partial<A> extends A ? [values?: A] : [values: A]

/**
 * One end of a connection. A subclass that overrides `connectionLost` calls `super.connectionLost(reason)`, because that
 * is where calls end that were not answered.
 */
export class AMP extends FrameReceiver<Box> {
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
  readonly #outbox = new Outbox(this, () => this.#roomMade())
  readonly #answering: Answering
  /** Somebody wants no boxes for now; and so do we, because our answers are not taken. */
  #paused = false
  #noRoom = false

  /** @param locator knows who answers; usually one for all connections */
  constructor(locator = new CommandLocator()) {
    super()
    const sender = {
      send: (answer: Uint8Array) => this.#sendAnswer(answer),
      sendAndStartTLS: (answer: Uint8Array, options: TLSServerOptions) => this.#goOnWithTLS(answer, options),
    }
    this.#answering = new Answering(this, sender, locator)
  }

  /** Lets `responder` answer the command on this connection. As {@link CommandLocator.respond}, which it precedes. */
  respond<A, R>(command: Command<A, R>, responder: Responder<A, R>): this {
    this.#answering.respond(command, responder)
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
    if (this.#noRoom) this.#roomMade()
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
    const number = this.#calls.next()
    this.#sendFirst(questionBox({ command: StartTLS, ask: nameOf(number), values: {} }))
    this.#outbox.hold()
    return this.#calls
      .open(number, StartTLS)
      .addCallback(() => {
        const secured = this.transport.startTLS({ role: 'client', ...options })
        // The transport holds it back from now on.
        this.#outbox.release()
        return secured
      })
      .addErrback((failure) => {
        this.#refuse(failure.value)
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

  /* ---------------------------------------------------------------- what a transport calls */

  override connectionLost(reason: ConnectionClosed): Hook {
    this.#outbox.drop()
    this.#calls.end(reason)
  }

  protected override frameReceived(box: Box): void {
    try {
      if (box.answer >= 0) this.#calls.answered(box)
      else if (box.error >= 0) this.#calls.failed(box)
      else if (box.command >= 0) this.#answering.asked(box)
      else throw new AmpProtocolError('a box is neither a question nor an answer')
    } catch (error) {
      if (!(error instanceof AmpProtocolError)) throw error
      this.#refuse(error)
    }
  }

  /* ---------------------------------------------------------------- sending */

  #whyNot(): Error | undefined {
    const transport: unknown = this.transport
    if (transport === undefined) return new Error('a call needs a connection, which is not made yet')
    return this.#calls.reason
  }

  #send(box: Uint8Array): boolean {
    this.#trace(box)
    return this.#outbox.send(box)
  }

  /** A peer that asks, and does not take the answers, is not read from; unless we wait for an answer ourselves. */
  #sendAnswer(box: Uint8Array): void {
    if (this.#send(box) || this.#calls.waiting > 0 || this.#noRoom) return
    this.#noRoom = true
    super.pauseProducing()
  }

  #roomMade(): void {
    if (!this.#noRoom) return
    this.#noRoom = false
    if (!this.#paused) super.resumeProducing()
  }

  /** Ahead of all that waits for room: what waits may leave encrypted, this may not. */
  #sendFirst(box: Uint8Array): void {
    this.#trace(box)
    this.transport.write(box)
  }

  #goOnWithTLS(answer: Uint8Array, options: TLSServerOptions): void {
    if (this.#outbox.held) throw new AmpProtocolError('both sides asked for StartTLS at the same time')
    if (this.transport.tls !== undefined) throw new AmpProtocolError('StartTLS was asked for where TLS has begun')
    this.#sendFirst(answer)
    this.transport.startTLS({ role: 'server', ...options }).addErrback(({ value }) => this.#refuse(value))
  }

  #trace(box: Uint8Array): void {
    trace?.at('frame.out', this.transport, { n: box.length, type: this.decoder.type, text: box })
  }

  /** Closes because of `cause`, after what was written has been sent. */
  #refuse(cause: unknown): void {
    this.transport.loseConnection({ cause: asError(cause) })
  }
}
