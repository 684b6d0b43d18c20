/**
 * The transform server's side of a conversation: reads questions, asks the service, sends the answers in the order of
 * the questions.
 *
 * Grammar of calls: `makeConnection connectionMade stringReceived* inputEnded? readConnectionLost? stopping? connectionLost`.
 * Ancestor: `TransformProtocol` of krondo's part 12, which knew one question for each connection.
 */
import { type Deferred, Factory, NetstringReceiver, type RemoteProtocolError, succeed, toBytes } from 'couplet'
import { InOrder } from './in-order.ts'
import { TransformFailed, type TransformService } from './transform-service.ts'
import {
  decodeQuestion,
  encodeAnswer,
  longestTransformed,
  type TransformQuestion,
  wantsReason,
} from './transform-wire.ts'

/** The limits of a {@link TransformProtocol}. */
export interface TransformProtocolOptions {
  /** How many questions of one client may be at work; the next ones are not read before there is room. 16 unless given. */
  readonly maxPending?: number | undefined
  /** Bytes that a question or an answer may have. 512 KiB unless given, and no more than that is wise. */
  readonly maxLength?: number | undefined
}

/** What it comes to: bytes for the peer, or the end of the conversation. */
type Answer = { readonly bytes: Uint8Array } | { readonly end: Error }

/**
 * Answers one client. Questions may come one behind the other (pipelined) without waiting for answers; one that ends
 * the conversation does so after the answers to those before it. A client that ends its own side, as `nc -N` does, still
 * gets its answers.
 */
export class TransformProtocol extends NetstringReceiver {
  readonly #service: TransformService
  readonly #maxPending: number
  readonly #answers = new InOrder<Answer>((answer) => this.#send(answer))
  /** Nothing more is read: the peer has no more questions, or one of them was the last. */
  #last = false

  constructor(service: TransformService, options: TransformProtocolOptions = {}) {
    super()
    const { maxPending = 16, maxLength = longestTransformed } = options
    this.#service = service
    this.#maxPending = maxPending
    this.maxLength = maxLength
  }

  override connectionMade(): void {
    this.transport.registerProducer(this.#answers, true)
  }

  override stringReceived(bytes: Uint8Array): void {
    if (this.#last) return
    const wanted = wantsReason(bytes)
    this.#answers.add(
      succeed()
        .addCallback(() => decodeQuestion(bytes))
        .addCallback((question) => this.#answer(question))
        .addErrback(({ value }): Answer => refusal(value, wanted)),
    )
    if (this.#answers.length >= this.#maxPending) this.pauseProducing()
  }

  /** What is no netstring, or too long, ends the conversation, but not before what was asked before has its answer. */
  protected override frameRefused(error: RemoteProtocolError): void {
    this.#last = true
    this.#answers.add(succeed({ end: error }))
  }

  /**
   * An end in the middle of a question closes the connection by itself, but not before its producer has finished. That
   * is the answers, and they would never hear of it.
   */
  override inputEnded(): Error | undefined {
    this.#last = true
    if (this.#answers.length === 0) this.transport.unregisterProducer()
    return super.inputEnded()
  }

  override readConnectionLost(): void {
    this.#endIfDone()
  }

  override stopping(): void {
    this.#last = true
    this.#endIfDone()
  }

  override connectionLost(): void {
    // Nobody is there any more to hear them.
    this.#answers.clear()
  }

  #answer(question: TransformQuestion): Deferred<Answer> {
    return this.#service.transform(question.name, question.poem).addCallback((poem): Answer => {
      const bytes = question.wantsReason ? encodeAnswer(poem) : toBytes(poem)
      if (bytes.length <= this.maxLength) return { bytes }
      throw new TransformFailed(`the answer would have ${bytes.length} bytes, the limit is ${this.maxLength}`)
    })
  }

  #send(answer: Answer): void {
    if ('end' in answer) {
      this.#last = true
      this.#answers.clear()
      this.transport.unregisterProducer()
      this.transport.loseConnection({ cause: answer.end })
      return
    }
    this.sendString(answer.bytes)
    this.#endIfDone()
    if (!this.#last && this.#answers.length < this.#maxPending) this.resumeProducing()
  }

  #endIfDone(): void {
    if (!this.#last || this.#answers.length > 0) return
    this.transport.unregisterProducer()
    this.transport.loseConnection()
  }
}

/** What a question comes to that cannot be answered: a reason, where one is wanted, or the end. */
function refusal(error: unknown, wanted: boolean): Answer {
  const why = error instanceof Error ? error : new Error(String(error))
  return wanted ? { bytes: encodeAnswer(why) } : { end: why }
}

/** Gives every client a conversation of its own, and all of them one service. */
export class TransformFactory extends Factory<TransformProtocol> {
  readonly #service: TransformService
  readonly #options: TransformProtocolOptions

  /** As {@link TransformProtocol}. */
  constructor(service: TransformService, options: TransformProtocolOptions = {}) {
    super()
    this.#service = service
    this.#options = options
  }

  override buildProtocol(): TransformProtocol {
    return new TransformProtocol(this.#service, this.#options)
  }
}
